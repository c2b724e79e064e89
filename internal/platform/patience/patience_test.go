package patience

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// short makes tests quick; the server stays silent for ever.
var short = Limits{Connect: 10 * time.Second, Silence: 150 * time.Millisecond}

// serve accepts connections, reads the head of a request from each, sends said and falls silent.
func serve(t *testing.T, said string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			go func() {
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, said)
			}()
		}
	}()
	return listener.Addr().String()
}

// TestEverySilenceEnds cuts an answer anywhere: what was sent is read, and the wait for more ends with
// a sentence.
func TestEverySilenceEnds(t *testing.T) {
	t.Parallel()
	const whole = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
	rapid.Check(t, func(rt *rapid.T) {
		cut := rapid.IntRange(0, len(whole)).Draw(rt, "cut")
		address := serve(t, whole[:cut])
		c, err := short.Dial(t.Context(), "tcp", address)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\n\r\n"); err != nil {
			rt.Fatal(err)
		}
		got, err := io.ReadAll(c)
		var silence *Error
		if !errors.As(err, &silence) || silence.Peer != address || !silence.Timeout() || string(got) != whole[:cut] {
			rt.Fatalf("after %d bytes: %q, %v", cut, got, err)
		}
		if part := strings.Contains(silence.Error(), "a part of its answer"); part != (cut > 0) {
			rt.Fatalf("after %d bytes: %v", cut, silence)
		}
	})
}

// TestHTTPClientGivesUp asks for pages that stop before and within the body.
func TestHTTPClientGivesUp(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: &http.Transport{DialContext: short.Dial, DisableKeepAlives: true}}
	for said, want := range map[string]string{
		"": "answered nothing",
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234": "a part of its answer",
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+serve(t, said), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(request)
		if err == nil {
			_, err = io.ReadAll(answer.Body)
			_ = answer.Body.Close()
		}
		var silence *Error
		if !errors.As(err, &silence) || !strings.Contains(err.Error(), want) {
			t.Errorf("after %q: %v", said, err)
		}
	}
}

// TestServerThatReadsNothing fills the buffers of a connection whose other side has stopped reading.
func TestServerThatReadsNothing(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	c, err := short.Dial(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for err == nil {
		_, err = c.Write(make([]byte, 1<<20))
	}
	var silence *Error
	if !errors.As(err, &silence) || !strings.Contains(err.Error(), "a part of the request") {
		t.Errorf("%v", err)
	}
}

// TestSlowIsNotSilent sends an answer whose pieces are each in time and together are not.
func TestSlowIsNotSilent(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	c := &conn{Conn: near, silence: 5 * time.Second, peer: "pipe"}
	const pieces = 20
	go func() {
		for range pieces {
			time.Sleep(time.Millisecond)
			_, _ = far.Write([]byte("x"))
		}
		_ = far.Close()
	}()
	if got, err := io.ReadAll(c); err != nil || len(got) != pieces {
		t.Errorf("%d pieces, %v", len(got), err)
	}
}
