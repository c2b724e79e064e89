package evaluation

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// ErrAdjacency marks a file that does not hold lines of "user item item …".
var ErrAdjacency = errors.New(`want lines of "user item item …", numbers from 0`)

const (
	// longestLine bounds a user's line: over a million items.
	longestLine = 16 << 20
	// largestNumber bounds users and items: memory grows with the largest, so a wrong file must not
	// ask for all of it.
	largestNumber = 100_000_000
)

// ReadAdjacency reads the format of the public splits: one line per user, with the user's number
// and then the numbers of the items, separated by blanks. Lines end with LF or CRLF. A user may have
// no items, or several lines. The largest numbers give the size of the result.
func ReadAdjacency(r io.Reader) (*Pairs, error) {
	p := &Pairs{}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 1<<16), longestLine)
	for n := 1; lines.Scan(); n++ {
		rest, user := lines.Bytes(), -1
		for {
			number, tail, err := nextNumber(rest)
			if err != nil {
				return nil, fmt.Errorf("read line %d: %w", n, err)
			}
			if number < 0 {
				break
			}
			rest = tail
			if user < 0 {
				user = number
				for len(p.Of) <= user {
					p.Of = append(p.Of, nil)
				}
				continue
			}
			p.Of[user] = append(p.Of[user], int32(number))
			p.Products = max(p.Products, number+1)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read lines: %w", err)
	}
	p.tidy()
	return p, nil
}

// nextNumber is -1 at the line's end.
func nextNumber(line []byte) (number int, tail []byte, err error) {
	blank := func(b byte) bool { return b == ' ' || b == '\t' || b == '\r' }
	for len(line) > 0 && blank(line[0]) {
		line = line[1:]
	}
	end := 0
	for end < len(line) && !blank(line[end]) {
		end++
	}
	if end == 0 {
		return -1, nil, nil
	}
	number, err = strconv.Atoi(string(line[:end]))
	if err != nil || number < 0 || number > largestNumber {
		return 0, nil, fmt.Errorf("%.20q: %w", line[:end], ErrAdjacency)
	}
	return number, line[end:], nil
}

// Widen gives all the same customers and products: those of the largest.
func Widen(all ...*Pairs) {
	customers, products := 0, 0
	for _, p := range all {
		customers, products = max(customers, len(p.Of)), max(products, p.Products)
	}
	for _, p := range all {
		p.Products = products
		p.Of = append(p.Of, make([][]int32, customers-len(p.Of))...)
	}
}
