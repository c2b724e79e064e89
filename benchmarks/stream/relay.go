package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// relay is a proxy between the function and PostgreSQL. It notes what is asked, and it can answer from
// memory what was asked before: the database stubbed, without a second opinion on what a database
// says. A question is all that comes before a Sync.
type relay struct {
	listener net.Listener
	upstream string // PostgreSQL's address

	mu        sync.Mutex
	canned    bool // answer from memory
	known     map[[sha256.Size]byte][]byte
	asked     []question
	statement map[string]string // SQL by the name of the prepared statement
}

// question is a pipelined row of queries.
type question []query

type query struct {
	sql     string
	formats []int16
	params  [][]byte
}

func newRelay(ctx context.Context, upstream string) (*relay, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{listener: listener, upstream: upstream, known: map[[sha256.Size]byte][]byte{},
		statement: map[string]string{}}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go func() {
				defer func() { _ = conn.Close() }() // the other side sees it
				if err := r.serve(ctx, conn); err != nil && !errors.Is(err, io.EOF) {
					fmt.Printf("relay: %v\n", err)
				}
			}()
		}
	}()
	return r, nil
}

// dsn is where the function finds the relay.
func (r *relay) dsn() string {
	return "postgres://relay@" + r.listener.Addr().String() + "/relay?sslmode=disable"
}

// answerFromMemory says whether known questions go to PostgreSQL.
func (r *relay) answerFromMemory(canned bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.canned = canned
}

// take returns what was asked since it was called last.
func (r *relay) take() []question {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked
	r.asked = nil
	return asked
}

func (r *relay) serve(ctx context.Context, client net.Conn) error {
	server, err := pgconn.Connect(ctx, r.upstream)
	if err != nil {
		return err
	}
	hijacked, err := server.Hijack()
	if err != nil {
		return err
	}
	defer func() { _ = hijacked.Conn.Close() }() // nothing is lost by it
	in, back := bufio.NewReaderSize(client, 1<<20), bufio.NewReaderSize(hijacked.Conn, 1<<20)
	if err := greet(client, in, hijacked.ParameterStatuses); err != nil {
		return err
	}
	for {
		var ask []byte
		var kind byte
		changes := false // the connection: prepares, or sets
		for kind != 'S' && kind != 'Q' {
			if ask, kind, err = appendMessage(ask, in); err != nil {
				return err
			}
			if kind == 'X' {
				return nil
			}
			changes = changes || kind == 'P' || kind == 'Q'
		}
		key := sha256.Sum256(ask)
		r.mu.Lock()
		answer, known := r.known[key]
		canned := r.canned
		r.mu.Unlock()
		if !known || !canned || changes {
			if _, err := hijacked.Conn.Write(ask); err != nil {
				return err
			}
			for answer, kind = nil, 0; kind != 'Z'; {
				if answer, kind, err = appendMessage(answer, back); err != nil {
					return err
				}
			}
			if err := r.note(key, ask, answer); err != nil {
				return err
			}
		}
		if _, err := client.Write(answer); err != nil {
			return err
		}
	}
}

// greet accepts the login of any client.
func greet(client io.Writer, in io.Reader, parameters map[string]string) error {
	var length [4]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, in, int64(binary.BigEndian.Uint32(length[:]))-4); err != nil {
		return err
	}
	messages := []pgproto3.BackendMessage{&pgproto3.AuthenticationOk{}}
	for name, value := range parameters {
		messages = append(messages, &pgproto3.ParameterStatus{Name: name, Value: value})
	}
	messages = append(messages, &pgproto3.BackendKeyData{SecretKey: make([]byte, 4)},
		&pgproto3.ReadyForQuery{TxStatus: 'I'})
	var out []byte
	for _, m := range messages {
		var err error
		if out, err = m.Encode(out); err != nil {
			return err
		}
	}
	_, err := client.Write(out)
	return err
}

// appendMessage reads one message whole.
func appendMessage(to []byte, from io.Reader) (_ []byte, kind byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return nil, 0, err
	}
	to = append(to, head[:]...)
	start := len(to)
	to = append(to, make([]byte, binary.BigEndian.Uint32(head[1:])-4)...)
	_, err = io.ReadFull(from, to[start:])
	return to, head[0], err
}

// note remembers the answer, and what the queries were.
func (r *relay) note(key [sha256.Size]byte, ask, answer []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known[key] = answer
	var asked question
	for len(ask) > 0 {
		end := 1 + int(binary.BigEndian.Uint32(ask[1:]))
		switch body := ask[5:end]; ask[0] {
		case 'P':
			var m pgproto3.Parse
			if err := m.Decode(body); err != nil {
				return err
			}
			r.statement[m.Name] = m.Query
		case 'B':
			var m pgproto3.Bind
			if err := m.Decode(body); err != nil {
				return err
			}
			asked = append(asked, query{r.statement[m.PreparedStatement], m.ParameterFormatCodes, m.Parameters})
		}
		ask = ask[end:]
	}
	if len(asked) > 0 {
		r.asked = append(r.asked, asked)
	}
	return nil
}
