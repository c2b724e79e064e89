package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"
)

// far is the database at a distance: a proxy that passes on what it is sent half a round trip later.
type far struct {
	listener net.Listener
	dsn      string // of the database behind it
}

func newFar(ctx context.Context, dsn string, roundTrip time.Duration) (*far, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, fmt.Errorf("read the database's address: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	host := u.Host
	u.Host = listener.Addr().String()
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return // closed
			}
			behind, err := new(net.Dialer).DialContext(ctx, "tcp", host)
			if err != nil {
				_ = near.Close() // the function reports it
				continue
			}
			go pass(behind, near, roundTrip/2)
			go pass(near, behind, roundTrip/2)
		}
	}()
	return &far{listener, u.String()}, nil
}

// pass passes on what comes, each part a delay after it came, until one side ends.
func pass(to io.WriteCloser, from io.ReadCloser, delay time.Duration) {
	type part struct {
		data []byte
		at   time.Time
	}
	parts := make(chan part, 64)
	go func() {
		defer close(parts)
		for {
			data := make([]byte, 64<<10)
			n, err := from.Read(data)
			if n > 0 {
				parts <- part{data[:n], time.Now().Add(delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range parts {
		time.Sleep(time.Until(p.at))
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	_ = to.Close() // the other side sees it
	_ = from.Close()
	for range parts { // the reader ends
	}
}
