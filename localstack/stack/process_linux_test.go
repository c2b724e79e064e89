package stack

import (
	"net"
	"os"
	"testing"
)

func TestLoopbackHex(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"0100007F":                         true,  // 127.0.0.1
		"0201007F":                         true,  // 127.0.1.2
		"00000000":                         false, // every interface
		"0100000A":                         false, // 10.0.0.1
		"00000000000000000000000001000000": true,  // ::1
		"0000000000000000FFFF00000100007F": true,  // ::ffff:127.0.0.1
		"00000000000000000000000000000000": false,
		"0000000000000000FFFF000000000000": false,
	} {
		if got := loopbackHex(host); got != want {
			t.Errorf("%s: %t", host, got)
		}
	}
}

func TestListenersFindsOurOwn(t *testing.T) {
	t.Parallel()
	for address, loopback := range map[string]bool{"127.0.0.1:0": true, "0.0.0.0:0": false} {
		l, err := net.Listen("tcp4", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).Port
		for _, pid := range []int{os.Getpid(), 0} {
			sockets, err := listeners(pid)
			if err != nil {
				t.Fatal(err)
			}
			if want := (listener{pid: os.Getpid(), port: port, loopback: loopback}); !contains(sockets, want) {
				t.Errorf("process %d: %+v is not among %+v", pid, want, sockets)
			}
		}
	}
}

func contains(all []listener, want listener) bool {
	for _, l := range all {
		if l == want {
			return true
		}
	}
	return false
}
