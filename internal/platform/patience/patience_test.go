package patience

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/platform/envconfig"
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
	transport := &http.Transport{DisableKeepAlives: true}
	short.Transport(transport)
	client := &http.Client{Transport: transport}
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
	c := &conn{Conn: near, limits: Limits{Silence: 5 * time.Second}, peer: "pipe"}
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

// TestTheUsersDeadlineHoldsToo sets one before and within a read: the read ends with the ordinary
// error of a deadline, and the deadline of silence holds again once the user's is taken away.
func TestTheUsersDeadlineHoldsToo(t *testing.T) {
	t.Parallel()
	c, err := Limits{Connect: time.Minute, Silence: time.Minute}.Dial(t.Context(), "tcp", serve(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for _, before := range []bool{true, false} {
		end := make(chan error, 1)
		if before {
			err = c.SetDeadline(time.Now())
		}
		go func() { _, err := c.Read(make([]byte, 1)); end <- err }()
		if !before {
			time.AfterFunc(20*time.Millisecond, func() { _ = c.SetDeadline(time.Now()) }) // as pgx does when its context ends
		}
		var silence *Error
		if got := <-end; err != nil || !errors.Is(got, os.ErrDeadlineExceeded) || errors.As(got, &silence) {
			t.Errorf("set before the read %v: %v, %v", before, got, err)
		}
		if err := c.SetDeadline(time.Time{}); err != nil {
			t.Error(err)
		}
	}
	own, ok := c.(*conn)
	if !ok {
		t.Fatal("not ours")
	}
	own.limits.Silence = 50 * time.Millisecond
	end := make(chan error, 1)
	go func() { _, err := c.Read(make([]byte, 1)); end <- err }()
	time.AfterFunc(5*time.Millisecond, func() { _ = c.SetDeadline(time.Time{}) })
	var silence *Error
	if got := <-end; !errors.As(got, &silence) {
		t.Errorf("a deadline that was taken away took the limit with it: %v", got)
	}
}

// TestLoginIsBoundedAsAWhole sends a byte now and then, but never what ends the login.
func TestLoginIsBoundedAsAWhole(t *testing.T) {
	t.Parallel()
	var noted *Error
	limits := Limits{Connect: 200 * time.Millisecond, Silence: time.Hour, Login: true, Note: func(e *Error) { noted = e }}
	c, err := limits.Dial(t.Context(), "tcp", serve(t, "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "user"); err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(c)
	var silence *Error
	if !errors.As(err, &silence) || !strings.Contains(err.Error(), "did not finish the login") || noted != silence {
		t.Errorf("%v, noted %v", err, noted)
	}
}

// TestAServiceThatWorksMayBeSilent asks, after each silence, whether the service works on.
func TestAServiceThatWorksMayBeSilent(t *testing.T) {
	t.Parallel()
	limits := Limits{Connect: time.Minute, Silence: 10 * time.Millisecond, Login: true}
	c, err := limits.Dial(t.Context(), "tcp", serve(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	asked := 0
	Established(tls.Client(c, &tls.Config{MinVersion: tls.VersionTLS12}), func() bool { asked++; return asked < 3 })
	_, err = c.Read(make([]byte, 1))
	var silence *Error
	if !errors.As(err, &silence) || asked != 3 {
		t.Errorf("%v, asked %d times", err, asked)
	}
}

func TestLimitsAreSettings(t *testing.T) {
	for name, read := range map[string]func() (Limits, error){"WAIT_ANSWER": HTTP, "WAIT_STATEMENT": Database} {
		t.Setenv("WAIT_CONNECT", "7s")
		t.Setenv(name, "1m30s")
		if l, err := read(); err != nil || l.Connect != 7*time.Second || l.Silence != 90*time.Second {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
		for _, bad := range []string{"5", "0s", "-1s", "soon"} {
			t.Setenv(name, bad)
			if _, err := read(); !errors.Is(err, envconfig.ErrConfig) || !strings.Contains(err.Error(), name+" is \""+bad) {
				t.Errorf("%s=%s: %v", name, bad, err)
			}
		}
		t.Setenv(name, "")
	}
	if wait, err := ForLock(); err != nil || wait != Lock {
		t.Errorf("WAIT_LOCK: %v, %v", wait, err)
	}
	t.Setenv("WAIT_LOCK", "0s")
	if _, err := ForLock(); !errors.Is(err, envconfig.ErrConfig) || !strings.Contains(err.Error(), "WAIT_LOCK") {
		t.Errorf("WAIT_LOCK=0s: %v", err)
	}
}
