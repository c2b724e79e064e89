package patience

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// conn keeps the limits. It is safe for one reader and one writer at a time, and for deadlines from
// anywhere. A deadline that its user sets holds too.
type conn struct {
	net.Conn
	limits Limits
	peer   string

	mu          sync.Mutex
	login       time.Time // when logging in must have ended; zero once it has
	read, write deadlines
	began       bool        // an answer to what was written last
	working     func() bool // see Established
}

// deadlines are those of reads or of writes; zero: none.
type deadlines struct {
	user time.Time
	own  time.Time // of the latest read or write
}

// nearest is the one that counts.
func (d deadlines) nearest() time.Time {
	if d.user.IsZero() || !d.own.IsZero() && d.own.Before(d.user) {
		return d.own
	}
	return d.user
}

// Established tells a connection that was dialled with Limits.Login, or TLS over one, that the login
// is done. working is asked after each silence: while the service says by other ways that it works,
// the wait goes on. It may be nil.
func Established(c net.Conn, working func() bool) {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	if own, ok := c.(*conn); ok {
		own.mu.Lock()
		defer own.mu.Unlock()
		own.login, own.working = time.Time{}, working
	}
}

// Read waits for at least one byte.
func (c *conn) Read(p []byte) (int, error) {
	for {
		limit, err := c.arm(&c.read, c.Conn.SetReadDeadline)
		if err != nil {
			return 0, err
		}
		n, err := c.Conn.Read(p)
		if n > 0 {
			c.answered(true)
		}
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || c.past(&c.read) {
			return n, err
		}
		if working := c.hook(); working == nil || !working() {
			return 0, c.limits.note(&Error{c.peer, limit, c.did()})
		}
	}
}

// Write waits until the other side takes the bytes. From then on it is the other side's turn.
func (c *conn) Write(p []byte) (int, error) {
	c.answered(false)
	if _, err := c.arm(&c.read, c.Conn.SetReadDeadline); err != nil { // for a reader that waits already
		return 0, err
	}
	limit, err := c.arm(&c.write, c.Conn.SetWriteDeadline)
	if err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) && !c.past(&c.write) {
		err = c.limits.note(&Error{c.peer, limit, "took a part of the request and then nothing more"})
	}
	return n, err
}

// arm sets the nearest of the deadlines: the user's, the login's, that of silence. It returns the
// limit that the last two stand for.
func (c *conn) arm(d *deadlines, set func(time.Time) error) (limit time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit = c.limits.Silence
	d.own = time.Now().Add(limit)
	if !c.login.IsZero() && c.login.Before(d.own) {
		limit, d.own = c.limits.Connect, c.login
	}
	return limit, set(d.nearest())
}

// past reports whether the user's deadline is over.
func (c *conn) past(d *deadlines) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !d.user.IsZero() && !time.Now().Before(d.user)
}

func (c *conn) answered(yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.began = yes
}

func (c *conn) hook() func() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.working
}

// did is the last thing that the service did.
func (c *conn) did() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.login.IsZero():
		return "accepted the connection and did not finish the login"
	case c.began:
		return "sent a part of its answer and then nothing more"
	}
	return "accepted the request and answered nothing"
}

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline ends a read, also one that waits already. A zero t takes it away.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read.user = t
	return c.Conn.SetReadDeadline(c.read.nearest())
}

// SetWriteDeadline ends a write, also one that waits already. A zero t takes it away.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write.user = t
	return c.Conn.SetWriteDeadline(c.write.nearest())
}
