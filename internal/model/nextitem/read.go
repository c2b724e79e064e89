package nextitem

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"kindred/internal/platform/text"
)

// ErrLog marks a file that is not a click log.
var ErrLog = errors.New("want a click log: a header with SessionId, ItemId and Time, then one click per line, " +
	"its columns separated by tabs")

const (
	longestLine = 1 << 20 // bytes
	longestID   = 128     // bytes, as everywhere in kindred
)

// The columns that are read; a file may have others.
var columns = [...]string{"SessionId", "ItemId", "Time"}

// Read reads a click log in the format of session-rec and Serenade: tab-separated columns named in
// the first line, of which it reads SessionId, ItemId and Time (unix seconds). Ids are text and need
// not be numbers. Lines are in any order; clicks of one session with equal times keep the file's. An
// error names the line and is ErrLog, or the reader's.
func Read(r io.Reader) (*Log, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 1<<16), longestLine)
	var at [len(columns)]int
	var clicks Clicks
	number := 0
	for lines.Scan() {
		number++
		line := bytes.TrimSuffix(lines.Bytes(), []byte("\r"))
		if number == 1 {
			var err error
			if at, err = header(string(line)); err != nil {
				return nil, fmt.Errorf("line 1: %w", err)
			}
			continue
		}
		if len(line) == 0 {
			continue
		}
		session, item, seconds, err := click(line, at)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		clicks.Add(string(session), string(item), seconds)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("line %d: longer than %d bytes: %w", number+1, longestLine, ErrLog)
	} else if err != nil {
		return nil, fmt.Errorf("read line %d: %w", number+1, err)
	}
	l := clicks.Log()
	if len(l.Sessions) == 0 {
		return nil, fmt.Errorf("no clicks: %w", ErrLog)
	}
	return l, nil
}

// Clicks gathers the clicks of a log. The zero value has none. It is not safe for concurrent use.
type Clicks struct {
	log      Log
	items    map[string]int32
	sessions map[string]int
}

// Add adds a click at a time in seconds.
func (c *Clicks) Add(session, item string, seconds float64) {
	if c.items == nil {
		c.items, c.sessions = map[string]int32{}, map[string]int{}
	}
	i, ok := c.items[item]
	if !ok {
		i = int32(len(c.log.Items))
		c.log.Items = append(c.log.Items, item)
		c.items[item] = i
	}
	s, ok := c.sessions[session]
	if !ok {
		s = len(c.log.Sessions)
		c.sessions[session] = s
		c.log.Sessions = append(c.log.Sessions, Session{})
	}
	own := &c.log.Sessions[s]
	own.Items, own.Times = append(own.Items, i), append(own.Times, seconds)
}

// Log is a log of the clicks, in order of time. Clicks of one session with equal times keep the order in which they
// were added. Nothing may be added afterwards.
func (c *Clicks) Log() *Log {
	for i := range c.log.Sessions {
		c.log.Sessions[i].sort()
	}
	return &c.log
}

// header finds the columns.
func header(line string) (at [len(columns)]int, err error) {
	names := strings.Split(strings.TrimPrefix(line, "\ufeff"), "\t")
	for i, column := range columns {
		at[i] = slices.Index(names, column)
		if at[i] < 0 {
			return at, fmt.Errorf("no column %s, only %.200q: %w", column, names, ErrLog)
		}
	}
	return at, nil
}

// click reads the columns of a line.
func click(line []byte, at [len(columns)]int) (session, item []byte, seconds float64, err error) {
	var values [len(columns)][]byte
	rest := line
	for column := 0; ; column++ {
		value, after, more := bytes.Cut(rest, []byte("\t"))
		for i := range at {
			if at[i] == column {
				values[i] = value
			}
		}
		if !more {
			break
		}
		rest = after
	}
	for i, value := range values[:2] {
		if len(value) == 0 {
			return nil, nil, 0, fmt.Errorf("%s is missing: %w", columns[i], ErrLog)
		}
		if err := text.CheckBytes(value, longestID); err != nil {
			return nil, nil, 0, fmt.Errorf("%s %w: %w", columns[i], err, ErrLog)
		}
	}
	seconds, err = strconv.ParseFloat(string(values[2]), 64)
	if err != nil || math.Abs(seconds) > math.MaxInt32*1e3 || seconds != seconds {
		return nil, nil, 0, fmt.Errorf("%s is %.50q, want seconds since 1970: %w", columns[2], values[2], ErrLog)
	}
	return values[0], values[1], seconds, nil
}

// sort puts the clicks in order of time.
func (s *Session) sort() {
	order := make([]int, len(s.Items))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.Times[a], s.Times[b]) })
	items, times := make([]int32, len(order)), make([]float64, len(order))
	for i, from := range order {
		items[i], times[i] = s.Items[from], s.Times[from]
	}
	s.Items, s.Times = items, times
}
