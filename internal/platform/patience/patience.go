// Package patience says how long a program waits for a service that gives no sign of life. It owns
// the limits, the variables that change them, and a network connection that keeps them. Whether to
// try again is package retry's business and the client libraries'.
package patience

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"kindred/internal/platform/envconfig"
)

// The limits that hold where no variable sets another one. docs/waiting.md says what they come to for
// each program.
const (
	// Connect bounds the wait for a connection: dialling, then TLS or logging in to a database. No
	// network within a region needs so long. WAIT_CONNECT sets it.
	Connect = 10 * time.Second
	// Answer bounds the wait for the first byte of an answer over HTTP, and for each piece after it.
	// S3 and Kinesis answer within a second or two. A client that tries three times gives up after
	// three times as long. WAIT_ANSWER sets it.
	Answer = 30 * time.Second
	// Statement bounds the wait for a database's next byte. A server that must sort a large table
	// first is silent for minutes. WAIT_STATEMENT sets it.
	Statement = 5 * time.Minute
	// Lock bounds the wait for a lock that another session of the vector database holds. WAIT_LOCK
	// sets it.
	Lock = time.Minute
)

// Limits are the waits of one dialler.
type Limits struct {
	Connect time.Duration
	Silence time.Duration // between two signs of life
	// Login makes Connect also bound the time from dialling until Established is called.
	Login bool
	// Note is told of every wait in vain. It may be called by several goroutines at the same time.
	Note func(*Error)
}

// HTTP gives the limits for services over HTTP. An error is a setting's: envconfig.ErrConfig.
func HTTP() (Limits, error) { return limits("WAIT_ANSWER", Answer, false) }

// Database gives the limits for database servers. An error is a setting's: envconfig.ErrConfig.
func Database() (Limits, error) { return limits("WAIT_STATEMENT", Statement, true) }

// ForLock gives the limit for locks. An error is a setting's: envconfig.ErrConfig.
func ForLock() (time.Duration, error) { return setting("WAIT_LOCK", Lock) }

func limits(name string, silence time.Duration, login bool) (Limits, error) {
	connect, err := setting("WAIT_CONNECT", Connect)
	silence, silenceErr := setting(name, silence)
	return Limits{Connect: connect, Silence: silence, Login: login}, cmp.Or(err, silenceErr)
}

func setting(name string, otherwise time.Duration) (time.Duration, error) {
	value := os.Getenv(name)
	if value == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%w: %s is %q, want a duration above 0, such as 30s or 5m", envconfig.ErrConfig, name, value)
	}
	return d, nil
}

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
	began := time.Now()
	c, err := (&net.Dialer{Timeout: l.Connect}).DialContext(ctx, network, address)
	if err != nil {
		if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() && ctx.Err() == nil {
			return nil, l.note(&Error{address, l.Connect, "accepted no connection"})
		}
		return nil, err
	}
	own := &conn{Conn: c, limits: l, peer: address}
	if l.Login {
		own.login = began.Add(l.Connect)
	}
	return own, nil
}

// Transport lets an HTTP client keep the limits. By default, its transport waits without a limit
// for a service that accepts a connection and answers nothing.
func (l Limits) Transport(t *http.Transport) {
	t.DialContext, t.TLSHandshakeTimeout = l.Dial, l.Connect
}

// Witness remembers a wait in vain for clients that drop the cause of a broken connection. Its Note
// goes into Limits. It is safe for concurrent use.
type Witness struct{ last atomic.Pointer[Error] }

// Note remembers e.
func (w *Witness) Note(e *Error) { w.last.Store(e) }

// Explain adds what was waited for to a client's error, unless the error says it already.
func (w *Witness) Explain(err error) error {
	var said *Error
	if last := w.last.Load(); err != nil && last != nil && !errors.As(err, &said) {
		return fmt.Errorf("%w: %w", err, last)
	}
	return err
}

func (l Limits) note(e *Error) *Error {
	if l.Note != nil {
		l.Note(e)
	}
	return e
}
