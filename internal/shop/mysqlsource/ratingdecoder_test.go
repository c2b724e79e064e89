package mysqlsource

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/google/go-cmp/cmp"

	"kindred/internal/shop"
)

// ratingFields are the columns as a server announces them.
func ratingFields(customer, stars uint8) []*mysql.Field {
	return []*mysql.Field{{Type: customer}, {Type: mysql.MYSQL_TYPE_VAR_STRING}, {Type: stars},
		{Type: mysql.MYSQL_TYPE_DATETIME}}
}

// binaryRow is a rating with an INT customer and TINYINT stars in the binary protocol. nulls has
// bit 2 for the first column.
func binaryRow(nulls byte, customer int32, code string, stars int8, datetime ...byte) []byte {
	b := []byte{okHeader, nulls}
	if nulls&4 == 0 {
		b = binary.LittleEndian.AppendUint32(b, uint32(customer))
	}
	if nulls&8 == 0 {
		b = append(append(b, byte(len(code))), code...)
	}
	if nulls&16 == 0 {
		b = append(b, byte(stars))
	}
	if nulls&32 == 0 {
		b = append(append(b, byte(len(datetime))), datetime...)
	}
	return b
}

func newDecoder(faults *shop.Faults) *ratingDecoder {
	return &ratingDecoder{fields: ratingFields(mysql.MYSQL_TYPE_LONG, mysql.MYSQL_TYPE_TINY), faults: faults}
}

func TestBinaryRowsAreRatings(t *testing.T) {
	t.Parallel()
	leap := []byte{0xe8, 7, 2, 29, 23, 59, 58}
	tests := []struct {
		name   string
		packet []byte
		want   shop.Rating
		at     time.Time // zero: nil
	}{
		{"second", binaryRow(0, -7, "S10", 5, leap...), shop.Rating{CustomerID: "-7", ProductCode: "S10", Stars: 5},
			time.Date(2024, 2, 29, 23, 59, 58, 0, time.UTC)},
		{"microsecond", binaryRow(0, 1, "S10", 1, append(leap, 0x40, 0xe2, 1, 0)...),
			shop.Rating{CustomerID: "1", ProductCode: "S10", Stars: 1},
			time.Date(2024, 2, 29, 23, 59, 58, 123_456_000, time.UTC)},
		{"midnight", binaryRow(0, math.MaxInt32, "m", 2, 0xb2, 7, 1, 1),
			shop.Rating{CustomerID: "2147483647", ProductCode: "m", Stars: 2},
			time.Unix(0, 0).UTC()},
		{"zero date", binaryRow(0, 1, "ü", 3), shop.Rating{CustomerID: "1", ProductCode: "ü", Stars: 3}, time.Time{}},
		{"NULL date", binaryRow(32, 1, "a", 3), shop.Rating{CustomerID: "1", ProductCode: "a", Stars: 3}, time.Time{}},
	}
	for _, test := range tests {
		var faults shop.Faults
		d := newDecoder(&faults)
		got, ok := d.decode(test.packet)
		if !ok || d.err != nil || (got.RatedAt == nil) != test.at.IsZero() || got.RatedAt != nil &&
			!got.RatedAt.Equal(test.at) {
			t.Errorf("%s: %+v at %v, %v, error %v, want at %v", test.name, got, got.RatedAt, ok, d.err, test.at)
		}
		if got.RatedAt = nil; got != test.want || len(faults.Examples()) != 0 {
			t.Errorf("%s: %+v, faults %q, want %+v", test.name, got, faults.Examples(), test.want)
		}
	}
}

func TestIntegersOfEveryWidthAreRead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind     uint8
		unsigned bool
		bytes    []byte
		want     int64
		exact    bool
	}{
		{mysql.MYSQL_TYPE_TINY, false, []byte{0xff}, -1, true},
		{mysql.MYSQL_TYPE_TINY, true, []byte{0xff}, 255, true},
		{mysql.MYSQL_TYPE_SHORT, false, []byte{0xfe, 0xff}, -2, true},
		{mysql.MYSQL_TYPE_SHORT, true, []byte{0xfe, 0xff}, 65534, true},
		{mysql.MYSQL_TYPE_INT24, false, []byte{0xfd, 0xff, 0xff, 0xff}, -3, true},
		{mysql.MYSQL_TYPE_LONG, true, []byte{0xff, 0xff, 0xff, 0xff}, math.MaxUint32, true},
		{mysql.MYSQL_TYPE_LONGLONG, false, []byte{0, 0, 0, 0, 0, 0, 0, 0x80}, math.MinInt64, true},
		{mysql.MYSQL_TYPE_LONGLONG, true, []byte{0, 0, 0, 0, 0, 0, 0, 0x80}, math.MinInt64, false},
		{mysql.MYSQL_TYPE_NEWDECIMAL, false, []byte("\x03-12"), -12, true},
		{mysql.MYSQL_TYPE_NEWDECIMAL, false, []byte("\x1499999999999999999999"), math.MaxInt64, false},
	}
	for _, test := range tests {
		d := &ratingDecoder{fields: []*mysql.Field{{Type: test.kind}}, rest: test.bytes}
		if test.unsigned {
			d.fields[0].Flag = mysql.UNSIGNED_FLAG
		}
		if got, exact := d.integer(0); got != test.want || exact != test.exact || d.err != nil || len(d.rest) != 0 {
			t.Errorf("type %d of % x: %d, %v, error %v, want %d, %v", test.kind, test.bytes, got, exact, d.err, test.want,
				test.exact)
		}
	}
}

func TestRatingsThatAreNoneAreCountedAndNamed(t *testing.T) {
	t.Parallel()
	var faults shop.Faults
	d := newDecoder(&faults)
	for _, packet := range [][]byte{binaryRow(0, 1, "a", 3), binaryRow(0, 1, "b", 6), binaryRow(4, 0, "a", 3),
		binaryRow(8, 1, "", 3), binaryRow(0, 1, "", 3),
		binaryRow(16, 1, "a", 0), binaryRow(0, 1, "a", -1), binaryRow(4+8+16+32, 0, "", 0)} {
		if _, ok := d.decode(packet); ok != (d.number == 1) || d.err != nil {
			t.Errorf("row %d: %v, error %v", d.number, ok, d.err)
		}
	}
	d.fields[0].Type = mysql.MYSQL_TYPE_LONGLONG
	if _, ok := d.decode(append([]byte{okHeader, 16 + 32, 0, 0, 0, 0, 1, 0, 0, 0}, "\x01a"...)); ok || d.err != nil {
		t.Errorf("a customer of 33 bits without stars: %v, error %v", ok, d.err)
	}
	d.fields[0].Flag = mysql.UNSIGNED_FLAG
	if _, ok := d.decode(append([]byte{okHeader, 32, 0, 0, 0, 0, 0, 0, 0, 0x80}, "\x01a\x03"...)); ok || d.err != nil {
		t.Errorf("a customer beyond 63 bits: %v, error %v", ok, d.err)
	}
	want := shop.Examples{
		shop.RatingKey: {`a rating for product "a": customerNumber is NULL`, "a rating of customer 1: productCode is NULL",
			"a rating of customer 1: productCode is empty",
			`a rating for product "": customerNumber is NULL`,
			`a rating for product "a": customerNumber is an integer above 9223372036854775807`},
		shop.RatingStars: {`rating of customer 1 for product "b": productRating is not from 1 to 5`,
			`rating of customer 1 for product "a": productRating is not from 1 to 5`,
			`rating of customer 1 for product "a": productRating is not from 1 to 5`,
			`rating of customer 4294967296 for product "a": productRating is not from 1 to 5`},
	}
	if diff := cmp.Diff(want, faults.Examples()); diff != "" || faults.Count(shop.RatingKey) != 5 ||
		faults.Count(shop.RatingStars) != 4 {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestDateThatDoesNotExistIsNoneAndCounted(t *testing.T) {
	t.Parallel()
	for name, datetime := range map[string][]byte{
		"30 February": {0xe8, 7, 2, 30}, "29 February": {0xe7, 7, 2, 29}, "month 0": {0xe8, 7, 0, 9},
		"day 0": {0xe8, 7, 9, 0}, "hour 24": {0xe8, 7, 1, 1, 24, 0, 0}, "5 bytes": {0xe8, 7, 1, 1, 1},
	} {
		var faults shop.Faults
		d := newDecoder(&faults)
		const want = `rating of customer 1 for product "a": ratedAt is a date that does not exist`
		r, ok := d.decode(binaryRow(0, 1, "a", 3, datetime...))
		if got := faults.Examples()[shop.RatingDate]; !ok || r.RatedAt != nil || r.Stars != 3 || len(got) != 1 ||
			got[0] != want {
			t.Errorf("%s: %+v, %v, examples %q", name, r, ok, got)
		}
		if r, ok := d.decode(binaryRow(0, 1, "a", 3, 0xe8, 7, 2, 29)); !ok || r.RatedAt == nil ||
			faults.Count(shop.RatingDate) != 1 {
			t.Errorf("%s: the row after it is %+v, %v", name, r, ok)
		}
	}
}

func TestDamagedRowsEndTheReading(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		packet []byte
		want   string
	}{
		"cut off":      {binaryRow(0, 1, "a", 3)[:6], "row 1 is too short"},
		"cut off text": {binaryRow(0, 1, "abc", 3)[:8], "row 1 is too short"},
		"no row":       {[]byte{1, 2, 3}, "row 1"},
		"long text":    {append(binaryRow(0, 1, "", 3)[:6], 0xfd, 1), "row 1 is too short"},
	}
	for name, test := range tests {
		d := newDecoder(&shop.Faults{})
		if _, ok := d.decode(test.packet); ok || d.err == nil || !strings.Contains(d.err.Error(), test.want) {
			t.Errorf("%s: %v, error %v, want %s", name, ok, d.err, test.want)
		}
	}
}

func TestRandomPacketsDoNotPanic(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		packet := make([]byte, 1+r.IntN(40))
		for i := range packet {
			packet[i] = byte(r.Uint32())
		}
		packet[0] = okHeader
		d := newDecoder(&shop.Faults{})
		d.decode(packet)
	}
}

func TestDaysAreThoseOfTheCalendar(t *testing.T) {
	t.Parallel()
	for day := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 3000; day = day.AddDate(0, 0, 1) {
		year, month, n := day.Date()
		if got := daysSince1970(year, int(month), n); int64(got)*86400 != day.Unix() {
			t.Fatalf("%s: %d days, want %d", day, got, day.Unix()/86400)
		}
		if last := day.AddDate(0, 0, 1).Month() != month; last != (n == daysIn(year, int(month))) {
			t.Fatalf("%d-%d has %d days", year, month, daysIn(year, int(month)))
		}
	}
}

// chopped gives a stream in reads of random size.
type chopped struct {
	net.Conn
	data []byte
	rand *rand.Rand
}

func (p *chopped) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, net.ErrClosed
	}
	n := copy(b, p.data[:1+p.rand.IntN(min(len(p.data), 5000))])
	p.data = p.data[n:]
	return n, nil
}

func TestPacketsComeWholeHoweverTheyAreCut(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 3))
	var stream []byte
	var want [][]byte
	for i := range 2000 {
		packet := make([]byte, 1+r.IntN(60))
		if i%500 == 7 {
			packet = make([]byte, receiveBytes+r.IntN(receiveBytes)) // larger than the buffer
		}
		packet[0] = byte(i)
		want = append(want, packet)
		stream = append(stream, byte(len(packet)), byte(len(packet)>>8), byte(len(packet)>>16), byte(i+1))
		stream = append(stream, packet...)
	}
	p := &packets{conn: &chopped{data: stream, rand: r}, buf: make([]byte, receiveBytes), sequence: 1}
	for i := range want {
		got, err := p.next()
		if err != nil || string(got) != string(want[i]) {
			t.Fatalf("packet %d: %d bytes, error %v, want %d bytes", i, len(got), err, len(want[i]))
		}
	}
	if _, err := p.next(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the last packet: error %v", err)
	}
	out := &packets{conn: &chopped{data: []byte{1, 0, 0, 9, 0}, rand: r}, buf: make([]byte, 16)}
	if _, err := out.next(); !errors.Is(err, errProtocol) {
		t.Errorf("packet out of order: error %v", err)
	}
}

// One row was lost here once, and 4,999,999 remained.
func TestNoRowIsTakenForTheEndOfTheColumns(t *testing.T) {
	t.Parallel()
	eof, ok, row := "\xfe\x00\x00\x22\x00", "\xfe\x00\x00\x22\x00\x00\x00", string(binaryRow(0, 1, "a", 3))
	for name, stream := range map[string][]string{"old server": {eof, row, eof}, "new server": {row, ok},
		"old server, no rows": {eof, eof}, "new server, no rows": {ok}} {
		p := &packets{conn: &chopped{rand: rand.New(rand.NewPCG(1, 1))}, buf: make([]byte, 64)}
		for i, packet := range stream {
			p.to += copy(p.buf[p.to:], append([]byte{byte(len(packet)), 0, 0, byte(i)}, packet...))
		}
		want := stream
		if want[0] == eof {
			want = want[1:]
		}
		if err := p.skipEOF(); err != nil {
			t.Fatal(err)
		}
		for _, packet := range want {
			if got, err := p.next(); err != nil || string(got) != packet {
				t.Errorf("%s: % x, error %v, want % x", name, got, err, packet)
			}
		}
	}
}
