package mysqlsource

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/go-mysql-org/go-mysql/mysql"

	"kindred/internal/shop"
)

// decoder converts rows of the binary protocol. The first value that cannot be converted sticks in err.
type decoder struct {
	table   table
	fields  []*mysql.Field
	number  int64 // of the row, from 1
	rest    []byte
	ratedAt time.Time
	faults  *Faults
	err     error
}

// decode reads a row. ok is false when the row is none, which is counted, or when err is set.
func (d *decoder) decode(packet []byte) (r shop.Rating, ok bool) {
	d.number++
	const nulls, values = 1, 2 // behind the header; the NULLs of four columns begin at the third bit
	if len(packet) < values || packet[0] != okHeader {
		d.err = fmt.Errorf("%w: row %d", errProtocol, d.number)
		return r, false
	}
	null := packet[nulls] >> 2
	d.rest = packet[values:]
	if null&(1<<columnCustomer) == 0 {
		n, exact := d.integer(columnCustomer)
		if !exact || n < math.MinInt32 || n > math.MaxInt32 {
			d.fail(columnCustomer, fmt.Sprintf("is not from %d to %d", math.MinInt32, math.MaxInt32))
		}
		r.CustomerNumber = int32(n)
	}
	if null&(1<<columnProduct) == 0 {
		r.ProductCode = d.code(d.text())
	}
	stars, exact := int64(0), true
	if null&(1<<columnStars) == 0 {
		stars, exact = d.integer(columnStars)
	}
	if null&(1<<columnRatedAt) == 0 {
		r.RatedAt = d.moment()
	}
	switch {
	case d.err != nil:
		return r, false
	case null&(1<<columnCustomer) != 0:
		return r, d.skip(&d.faults.MissingKey, columnCustomer, "is NULL, want a value")
	case null&(1<<columnProduct) != 0:
		return r, d.skip(&d.faults.MissingKey, columnProduct, "is NULL, want a value")
	case null&(1<<columnStars) != 0:
		return r, d.skip(&d.faults.StarsRange, columnStars, "is NULL, want a value")
	case !exact || stars < shop.MinStars || stars > shop.MaxStars:
		return r, d.skip(&d.faults.StarsRange, columnStars, fmt.Sprintf("is not from %d to %d", shop.MinStars, shop.MaxStars))
	}
	r.Stars = int8(stars)
	return r, true
}

func (d *decoder) problem(column int, problem string) string {
	return fmt.Sprintf("row %d of %s: %s %s", d.number, d.table.name, d.table.columns[column].name, problem)
}

func (d *decoder) fail(column int, problem string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrData, d.problem(column, problem))
	}
}

// skip counts a row that is no rating.
func (d *decoder) skip(count *int64, column int, problem string) bool {
	if *count++; d.faults.First == "" {
		d.faults.First = d.problem(column, problem)
	}
	return false
}

// take cuts n bytes off the row. Where there are less it gives zeros, more than a number needs.
func (d *decoder) take(n int) []byte {
	if n > len(d.rest) {
		if d.err == nil {
			d.err = fmt.Errorf("%w: row %d is too short", errProtocol, d.number)
		}
		d.rest = nil
		return make([]byte, 16)
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) text() []byte {
	if len(d.rest) > 0 && d.rest[0] < 0xfb { // all product codes, in one byte
		return d.take(1 + int(d.rest[0]))[1:]
	}
	const longest = 9 // a length and its size; such a text is longer itself
	if len(d.rest) < longest {
		return d.take(longest)
	}
	size, _, n := mysql.LengthEncodedInt(d.rest)
	d.take(n)
	return d.take(int(min(size, math.MaxInt32)))
}

// code is the text as a string of the packet's memory.
func (d *decoder) code(b []byte) string {
	if !utf8.Valid(b) {
		d.fail(columnProduct, "is not UTF-8")
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// integer reads a value of the column's type. exact is false when it does not fit.
func (d *decoder) integer(column int) (n int64, exact bool) {
	unsigned := d.fields[column].Flag&mysql.UNSIGNED_FLAG != 0
	switch d.fields[column].Type {
	case mysql.MYSQL_TYPE_TINY:
		v := d.take(1)[0]
		if unsigned {
			return int64(v), true
		}
		return int64(int8(v)), true
	case mysql.MYSQL_TYPE_SHORT:
		v := binary.LittleEndian.Uint16(d.take(2))
		if unsigned {
			return int64(v), true
		}
		return int64(int16(v)), true
	case mysql.MYSQL_TYPE_LONG, mysql.MYSQL_TYPE_INT24:
		v := binary.LittleEndian.Uint32(d.take(4))
		if unsigned {
			return int64(v), true
		}
		return int64(int32(v)), true
	case mysql.MYSQL_TYPE_LONGLONG:
		n = int64(binary.LittleEndian.Uint64(d.take(8)))
		return n, !unsigned || n >= 0
	}
	n, err := strconv.ParseInt(string(d.text()), 10, 64) // a decimal without places
	return n, err == nil
}

// moment reads a DATETIME as UTC. MySQL's zero date, which stands for "not known", gives nil.
func (d *decoder) moment() *time.Time {
	size := int(d.take(1)[0])
	b := d.take(size)
	var hour, minute, second, micros int
	switch size {
	case 0:
		return nil
	case 11:
		micros = int(binary.LittleEndian.Uint32(b[7:]))
		fallthrough
	case 7:
		hour, minute, second = int(b[4]), int(b[5]), int(b[6])
		fallthrough
	case 4:
	default:
		d.fail(columnRatedAt, "is no date that exists")
		return nil
	}
	year, month, day := int(binary.LittleEndian.Uint16(b)), int(b[2]), int(b[3])
	if year == 0 && month == 0 && day == 0 {
		return nil
	}
	if year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 ||
		second > 59 || micros > 999_999 {
		d.fail(columnRatedAt, "is no date that exists")
		return nil
	}
	seconds := int64(daysSince1970(year, month, day))*86400 + int64(hour*3600+minute*60+second)
	d.ratedAt = time.Unix(seconds, int64(micros)*1000).UTC()
	return &d.ratedAt
}

func daysIn(year, month int) int {
	if month == 2 {
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (month+month/8)%2
}

// daysSince1970 is written out because time.Date costs ten times as much, once per rating. Years
// begin in March, so that the leap day is their last one.
func daysSince1970(year, month, day int) int {
	if month -= 2; month <= 0 {
		month += 12
		year--
	}
	const before = 719_499 // the days from that March in the year 0 to 1970
	return year/4 - year/100 + year/400 + 367*month/12 + day + year*365 - before
}
