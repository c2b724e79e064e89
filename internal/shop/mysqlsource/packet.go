package mysqlsource

import (
	"errors"
	"fmt"
	"net"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
)

// receiveBytes is what one read may take from the socket: some of the server's packets of 16 KB, so
// that reading rarely waits for the kernel.
const receiveBytes = 256 * 1024

var errProtocol = errors.New("the server's answer breaks MySQL's protocol")

// packets reads the answer to one statement. go-mysql has connected and sent the statement; its own
// reader copies each row three times and takes two buffers from a pool for it, which is more work
// than the rest of the reading.
type packets struct {
	conn     net.Conn
	buf      []byte
	from, to int // what buf holds and nobody has taken
	sequence byte
}

// next returns the next packet, valid until the one after it.
func (p *packets) next() ([]byte, error) {
	for p.to-p.from < headerBytes {
		if err := p.fill(headerBytes); err != nil {
			return nil, err
		}
	}
	h := p.buf[p.from : p.from+headerBytes]
	size := int(h[0]) | int(h[1])<<8 | int(h[2])<<16
	if size == 0 || size == mysql.MaxPayloadLen || h[3] != p.sequence {
		return nil, fmt.Errorf("%w: packet %d of %d bytes, want packet %d", errProtocol, h[3], size, p.sequence)
	}
	p.sequence++
	for p.to-p.from < headerBytes+size {
		if err := p.fill(headerBytes + size); err != nil {
			return nil, err
		}
	}
	packet := p.buf[p.from+headerBytes : p.from+headerBytes+size]
	p.from += headerBytes + size
	return packet, nil
}

// fill reads more, with room for a packet of that size.
func (p *packets) fill(size int) error {
	if p.from > 0 {
		p.to = copy(p.buf, p.buf[p.from:p.to])
		p.from = 0
	}
	if size > len(p.buf) {
		p.buf = append(p.buf, make([]byte, size-len(p.buf))...)
	}
	n, err := p.conn.Read(p.buf[p.to:])
	p.to += n
	if n > 0 {
		return nil
	}
	return err
}

const (
	headerBytes = 4 // of a packet: its length and its number

	// The first byte of an answer.
	okHeader  = 0x00 // of a row, too
	eofHeader = 0xfe
	errHeader = 0xff
)

// query sends a statement and reads the head of its answer. Rows come in the binary protocol, whose
// values need no parsing and are half as long. The connection can be used again when all rows have
// been read.
func query(conn *client.Conn, statement string) (*packets, []*mysql.Field, error) {
	prepared, err := conn.Prepare(statement)
	if err != nil {
		return nil, nil, err
	}
	id := prepared.ID
	const once = 1
	execute := []byte{0, 0, 0, 0, mysql.COM_STMT_EXECUTE, byte(id), byte(id >> 8), byte(id >> 16),
		byte(id >> 24), 0, once, 0, 0, 0}
	conn.ResetSequence()
	if err := conn.WritePacket(execute); err != nil {
		return nil, nil, err
	}
	p := &packets{conn: conn.Conn.Conn, buf: make([]byte, receiveBytes), sequence: 1}
	head, err := p.next()
	if err != nil {
		return nil, nil, err
	}
	if head[0] == errHeader {
		return nil, nil, conn.HandleErrorPacket(head)
	}
	count, null, _ := mysql.LengthEncodedInt(head)
	if null || head[0] == okHeader {
		return nil, nil, fmt.Errorf("%w: no columns", errProtocol)
	}
	fields := make([]*mysql.Field, count)
	for i := range fields {
		column, err := p.next()
		if err != nil {
			return nil, nil, err
		}
		fields[i] = &mysql.Field{}
		if err := fields[i].Parse(append([]byte{}, column...)); err != nil {
			return nil, nil, fmt.Errorf("%w: column %d: %w", errProtocol, i+1, err)
		}
	}
	return p, fields, p.skipEOF()
}

// skipEOF takes the packet with which older servers divide columns from rows, if there is one. The
// OK that newer ones send at the end, under the same first byte, is longer.
func (p *packets) skipEOF() error {
	first, err := p.next()
	if err != nil {
		return err
	}
	const eofBytes = 5
	if first[0] != eofHeader || len(first) != eofBytes {
		p.from -= headerBytes + len(first)
		p.sequence--
	}
	return nil
}
