package integration

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// hanging stands between a program and a service. It hands on a number of the service's bytes, over
// all connections together, and then nothing more in either direction. It closes nothing: the
// program is not told.
type hanging struct {
	listener net.Listener
	service  string
	budget   atomic.Int64 // bytes of the service that it still hands on
	said     atomic.Int64 // bytes of the service that it has handed on
	met      atomic.Int64 // connections
}

const noEnd = int64(1) << 60

// mustHanging starts one that hands on so many bytes.
func mustHanging(t *testing.T, service string, budget int64) *hanging {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hanging{listener: listener, service: service}
	h.budget.Store(budget)
	var open sync.Map
	t.Cleanup(func() {
		_ = listener.Close()
		open.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true })
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			h.met.Add(1)
			open.Store(client, nil)
			server, err := net.DialTimeout("tcp", h.service, time.Minute)
			if err != nil {
				continue
			}
			open.Store(server, nil)
			go h.hand(client, server, false)
			go h.hand(server, client, true)
		}
	}()
	return h
}

func (h *hanging) address() string { return h.listener.Addr().String() }

// hand passes bytes on until the budget is used up. Then it reads no more, so a writer is held too.
func (h *hanging) hand(from, to net.Conn, counts bool) {
	buffer := make([]byte, 4096)
	for h.budget.Load() > 0 {
		n, err := from.Read(buffer)
		if counts {
			left := h.budget.Add(-int64(n))
			n += int(min(left, 0))
			h.said.Add(int64(max(n, 0)))
		} else if h.budget.Load() <= 0 {
			return
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if h.budget.Load() > 0 {
				_ = to.Close()
			}
			return
		}
	}
}

// mustBlackHole is an address to which no connection comes about: the listener's queue is full, so
// that further requests for a connection are dropped. "" where this system answers them.
func mustBlackHole(t *testing.T) (address string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("NOT TESTED: a server that accepts no connection, because this is not Linux")
	}
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(socket) })
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(socket, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	here := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}
	for range 16 {
		c, err := net.DialTimeout("tcp", here.String(), 2*time.Second)
		if err != nil {
			return here.String() // full
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Fatal("the queue of a listener does not fill")
	return ""
}
