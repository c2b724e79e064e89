// Package servelog reads the log of the program serve while it runs.
package servelog

import (
	"bytes"
	"strings"
	"sync/atomic"
)

// Log is a log, which tells where the answers come from. Its text may be read once serve has ended, or for an error.
type Log struct {
	Text   bytes.Buffer
	chosen atomic.Bool
}

// Write looks at lines of the log.
func (l *Log) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "the memory answers") ||
		strings.Contains(string(line), "answers, not the memory") {
		l.chosen.Store(true)
	}
	return l.Text.Write(line)
}

// Chosen says that the memory answers, or that the version does not fit into it.
func (l *Log) Chosen() bool { return l.chosen.Load() }
