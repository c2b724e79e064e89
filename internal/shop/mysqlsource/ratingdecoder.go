package mysqlsource

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"time"
	"unsafe"

	"github.com/go-mysql-org/go-mysql/mysql"

	"kindred/internal/shop"
)

// ratingDecoder converts rows of the binary protocol to ratings. The first error of the protocol
// sticks in err; values that break a rule are counted in faults.
type ratingDecoder struct {
	fields  []*mysql.Field
	number  int64 // of the row, from 1
	rest    []byte
	keys    [columnProduct + 1]keyText
	ratedAt time.Time
	noDate  bool // the row's date does not exist
	faults  *shop.Faults
	err     error
}

// keyText holds the decimal or hex form of a row's key. Rows of one customer share it.
type keyText struct {
	integer int64
	text    []byte // of integer, or of a BINARY(16); nil: of none yet
}

const (
	columnCustomer = iota
	columnProduct
	columnStars
	columnRatedAt
)

// decode reads a row. ok is false when err is set, or when the row has no usable key or stars,
// which is counted. The ids are in memory that the next row uses again. They may be invalid text:
// if no customer or product has the id, the caller must check it.
func (d *ratingDecoder) decode(packet []byte) (r shop.Rating, ok bool) {
	d.number++
	const nulls, values = 1, 2 // after the header; the NULLs of four columns begin at the third bit
	if len(packet) < values || packet[0] != okHeader {
		d.err = fmt.Errorf("%w: row %d", errProtocol, d.number)
		return r, false
	}
	null := packet[nulls] >> 2
	d.rest, d.noDate = packet[values:], false
	customerFits, productFits := true, true
	if null&(1<<columnCustomer) == 0 {
		r.CustomerID, customerFits = d.key(columnCustomer)
	}
	if null&(1<<columnProduct) == 0 {
		r.ProductCode, productFits = d.key(columnProduct)
	}
	stars, inStars := int64(0), true
	if null&(1<<columnStars) == 0 {
		stars, inStars = d.integer(columnStars)
		inStars = inStars && stars >= shop.MinStars && stars <= shop.MaxStars
	}
	if null&(1<<columnRatedAt) == 0 {
		r.RatedAt = d.moment()
	}
	if d.err != nil {
		return r, false
	}
	const keysAndStars = 1<<columnCustomer | 1<<columnProduct | 1<<columnStars
	if null&keysAndStars != 0 || !customerFits || !productFits || !inStars || r.CustomerID == "" || r.ProductCode == "" {
		d.leaveOut(r, null, customerFits, productFits)
		return r, false
	}
	if d.noDate {
		d.countDate(r)
	}
	r.Stars = int8(stars)
	return r, true
}

// key reads a key as text: an integer in its decimal form, BINARY(16) in hex. fits is false for an
// integer that has more than 64 bits with its sign.
func (d *ratingDecoder) key(column int) (id string, fits bool) {
	field, own := d.fields[column], &d.keys[column]
	switch field.Type {
	case mysql.MYSQL_TYPE_VARCHAR, mysql.MYSQL_TYPE_VAR_STRING, mysql.MYSQL_TYPE_STRING, mysql.MYSQL_TYPE_BLOB:
		value := d.text()
		if isBinaryKey(field) {
			own.text = hex.AppendEncode(own.text[:0], value)
			value = own.text
		}
		return unsafe.String(unsafe.SliceData(value), len(value)), true //nolint:gosec // valid until the next row, as agreed
	}
	n, exact := d.integer(column)
	if own.text == nil || own.integer != n {
		own.integer, own.text = n, strconv.AppendInt(own.text[:0], n, 10)
	}
	return unsafe.String(unsafe.SliceData(own.text), len(own.text)), exact //nolint:gosec // as above
}

// countDate is a method of its own because decode's result must not move to the heap.
func (d *ratingDecoder) countDate(r shop.Rating) {
	d.faults.Add(shop.RatingDate, func() string {
		return shop.RatingName(r.CustomerID, r.ProductCode) + ": ratedAt is a date that does not exist"
	})
}

// leaveOut counts a row that is no rating.
func (d *ratingDecoder) leaveOut(r shop.Rating, null byte, customerFits, productFits bool) {
	const outOfRange = "is an integer above 9223372036854775807"
	missing := func(sentence func() string) { d.faults.Add(shop.RatingKey, sentence) }
	switch {
	case null&(1<<columnCustomer) != 0:
		missing(func() string { return "a rating for " + shop.ProductName(r.ProductCode) + ": customerNumber is NULL" })
	case !customerFits:
		missing(func() string {
			return "a rating for " + shop.ProductName(r.ProductCode) + ": customerNumber " + outOfRange
		})
	case r.CustomerID == "":
		missing(func() string { return "a rating for " + shop.ProductName(r.ProductCode) + ": customerNumber is empty" })
	case null&(1<<columnProduct) != 0:
		missing(func() string { return "a rating of " + shop.CustomerName(r.CustomerID) + ": productCode is NULL" })
	case !productFits:
		missing(func() string { return "a rating of " + shop.CustomerName(r.CustomerID) + ": productCode " + outOfRange })
	case r.ProductCode == "":
		missing(func() string { return "a rating of " + shop.CustomerName(r.CustomerID) + ": productCode is empty" })
	default:
		d.faults.Add(shop.RatingStars, func() string {
			return fmt.Sprintf("%s: productRating is not from %d to %d", shop.RatingName(r.CustomerID, r.ProductCode),
				shop.MinStars, shop.MaxStars)
		})
	}
}

// take cuts n bytes off the row. Where there are less it gives zeros, more than a number needs.
func (d *ratingDecoder) take(n int) []byte {
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

func (d *ratingDecoder) text() []byte {
	if len(d.rest) > 0 && d.rest[0] < 0xfb { // most keys: the length is one byte
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

// integer reads a value of the column's type. exact is false when it does not fit.
func (d *ratingDecoder) integer(column int) (n int64, exact bool) {
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

// moment reads a DATETIME as UTC. MySQL's zero date, which stands for "not known", gives nil; so
// does a date that does not exist, which sets noDate.
func (d *ratingDecoder) moment() *time.Time {
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
		d.noDate = true
		return nil
	}
	year, month, day := int(binary.LittleEndian.Uint16(b)), int(b[2]), int(b[3])
	if year == 0 && month == 0 && day == 0 {
		return nil
	}
	if year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 ||
		second > 59 || micros > 999_999 {
		d.noDate = true
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
