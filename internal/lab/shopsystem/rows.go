package shopsystem

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// rows collects the rows of one table for inserts of many.
type rows struct {
	head string
	text strings.Builder
	n    int
}

// Rows and bytes of one INSERT: well below the smallest max_allowed_packet that servers come with.
const (
	batchRows  = 1_000
	batchBytes = 512 << 10
)

// into opens a table, named without its prefix, for rows of these columns. Errors are kept in b.
func (b *builder) into(table, columns string) func(values ...any) {
	names := strings.Fields(columns)
	r := &rows{head: "INSERT INTO `" + b.Config.Prefix + table + "` (`" + strings.Join(names, "`,`") + "`) VALUES "}
	b.tables = append(b.tables, r)
	return func(values ...any) {
		if b.err == nil && len(values) != len(names) {
			b.err = fmt.Errorf("%d values for %d columns of %s", len(values), len(names), table)
		}
		if b.err != nil {
			return
		}
		sign := byte(',')
		if r.n == 0 {
			sign = ' '
		}
		r.text.WriteByte(sign)
		for i, v := range values {
			sign = ','
			if i == 0 {
				sign = '('
			}
			r.text.WriteByte(sign)
			literal(&r.text, v)
		}
		r.text.WriteByte(')')
		if r.n++; r.n >= batchRows || r.text.Len() > batchBytes {
			b.flush(r)
		}
	}
}

func (b *builder) flush(r *rows) {
	if b.err != nil || r.n == 0 {
		return
	}
	if err := b.exec(r.head + r.text.String()); err != nil {
		b.err = fmt.Errorf("%s: %w", strings.TrimSuffix(r.head, " VALUES "), err)
	}
	if b.progress != nil {
		b.progress(r.n)
	}
	r.text.Reset()
	r.n = 0
}

// binary is a value of 16 bytes, in hexadecimal digits.
type binary string

// amount is money in hundredths.
type amount int64

var escapes = strings.NewReplacer("'", "''", `\`, `\\`)

// literal writes a value as SQL.
func literal(b *strings.Builder, value any) {
	switch v := value.(type) {
	case nil:
		b.WriteString("NULL")
	case int:
		b.WriteString(strconv.Itoa(v))
	case bool:
		if v {
			b.WriteByte('1')
		} else {
			b.WriteByte('0')
		}
	case amount:
		fmt.Fprintf(b, "%d.%02d", v/100, v%100)
	case binary:
		b.WriteString("0x" + string(v))
	case time.Time:
		b.WriteString("'" + v.UTC().Format("2006-01-02 15:04:05") + "'")
	case string:
		b.WriteString("'" + escapes.Replace(v) + "'")
	default:
		panic(fmt.Sprintf("no literal for %T", value)) // a writer of this package
	}
}

// once opens a table at its first use.
func (b *builder) once(table, columns string) func(values ...any) {
	if b.opened == nil {
		b.opened = map[string]func(values ...any){}
	}
	if b.opened[table] == nil {
		b.opened[table] = b.into(table, columns)
	}
	return b.opened[table]
}
