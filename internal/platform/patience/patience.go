// Package patience says how long a program waits for a service that gives no sign of life. It owns
// the limits and a network connection that keeps them. Whether to try again is package retry's
// business and the client libraries'.
package patience

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"
)

const (
	// Connect bounds the wait for a connection: dialling, and then TLS. No network within a region
	// needs so long.
	Connect = 10 * time.Second
	// Silence bounds the wait for the first byte of an answer over HTTP, and for each piece after it.
	// S3 and Kinesis answer within a second or two. A client that tries three times gives up after
	// three times as long.
	Silence = 30 * time.Second
	// Statement bounds the wait for MySQL's first row and for each row after it. A server that must
	// sort a large table first is silent for minutes.
	Statement = 5 * time.Minute
)

// Limits are the waits of one dialler.
type Limits struct {
	Connect time.Duration
	Silence time.Duration
}

// HTTP are the limits for services over HTTP.
func HTTP() Limits { return Limits{Connect, Silence} }

// Error says what was waited for in vain. It is a timeout: clients may try again.
type Error struct {
	Peer   string        // address of the service
	Waited time.Duration // since the last sign of life
	Did    string        // the last thing that the service did
}

// Error is a sentence.
func (e *Error) Error() string {
	return fmt.Sprintf("waited %v for %s: it %s", e.Waited, e.Peer, e.Did)
}

// Timeout makes this a net.Error.
func (e *Error) Timeout() bool { return true }

// Temporary makes this a net.Error, which has the method for older clients.
func (e *Error) Temporary() bool { return true }

// Dial connects within the limit. The connection ends a read or a write with an *Error when the
// other side is silent for longer than allowed. A connection that nobody uses counts as silent: a
// pool closes it then and makes another.
func (l Limits) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: l.Connect}).DialContext(ctx, network, address)
	if err != nil {
		if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() && ctx.Err() == nil {
			return nil, &Error{address, l.Connect, "accepted no connection"}
		}
		return nil, err
	}
	return &conn{Conn: c, silence: l.Silence, peer: address}, nil
}

// conn keeps the limit of silence. It is safe for one reader and one writer at a time.
type conn struct {
	net.Conn
	silence time.Duration
	peer    string
	began   atomic.Bool // an answer to what was written last
}

// Read waits for at least one byte.
func (c *conn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.began.Store(true)
	}
	did := "accepted the request and answered nothing"
	if c.began.Load() {
		did = "sent a part of its answer and then nothing more"
	}
	return n, c.explain(err, did)
}

// Write waits until the other side takes the bytes. From then on it is the other side's turn.
func (c *conn) Write(p []byte) (int, error) {
	c.began.Store(false)
	if err := c.SetDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	return n, c.explain(err, "took a part of the request and then nothing more")
}

func (c *conn) explain(err error, did string) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &Error{c.peer, c.silence, did}
	}
	return err
}
