package vectorfile

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// array is a NumPy array of one or two dimensions.
type array struct {
	kind    byte // f: floats; i, u: integers; U, S: text
	size    int  // bytes of an element
	order   binary.ByteOrder
	columns bool // Fortran's order: column by column
	shape   []int
	data    []byte
}

// The header of the format, see numpy.lib.format.
var (
	numpyMagic   = []byte("\x93NUMPY")
	headerType   = regexp.MustCompile(`'descr': *'([<>|=])([a-zA-Z])(\d+)'`)
	headerOrder  = regexp.MustCompile(`'fortran_order': *(True|False)`)
	headerShape  = regexp.MustCompile(`'shape': *\(([0-9, ]*)\)`)
	headerObject = regexp.MustCompile(`'descr': *'\|O'`)
)

// mostElements keeps a damaged shape from overflowing.
const mostElements = 1 << 33

// readArray reads an array whole. name is for messages.
func readArray(name string, r io.Reader) (*array, error) {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("%s: %s: %w", name, fmt.Sprintf(format, args...), ErrVectors)
	}
	start := make([]byte, 8)
	if _, err := io.ReadFull(r, start); err != nil || !bytes.HasPrefix(start, numpyMagic) {
		return nil, fault("it is no NumPy array; save one with numpy.save or numpy.savez")
	}
	width := 2 // of the header's length
	if start[6] > 1 {
		width = 4
	}
	length := make([]byte, 4)
	if _, err := io.ReadFull(r, length[:width]); err != nil {
		return nil, fault("its header is cut off")
	}
	header := make([]byte, min(binary.LittleEndian.Uint32(length), 1<<16))
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, fault("its header is cut off")
	}
	kind, order, shape := headerType.FindSubmatch(header), headerOrder.FindSubmatch(header),
		headerShape.FindSubmatch(header)
	if headerObject.Match(header) {
		return nil, fault("its elements are Python objects; save text with array.astype(str), and numbers as float32")
	}
	if kind == nil || order == nil || shape == nil {
		return nil, fault("its elements are neither numbers nor text; save floats, and ids as integers or text")
	}
	size, err := strconv.Atoi(string(kind[3]))
	if err != nil || size > 1<<16 {
		return nil, fault("its elements are too large")
	}
	a := &array{kind: kind[2][0], size: size, columns: string(order[1]) == "True", order: binary.LittleEndian}
	if kind[1][0] == '>' {
		a.order = binary.BigEndian
	}
	if a.kind == 'U' {
		a.size *= 4
	}
	elements := 1
	for _, n := range strings.FieldsFunc(string(shape[1]), func(r rune) bool { return r == ',' || r == ' ' }) {
		extent, err := strconv.Atoi(n)
		if err != nil || extent > 0 && elements > mostElements/extent {
			return nil, fault("its shape (%s) is too large", shape[1])
		}
		a.shape, elements = append(a.shape, extent), elements*extent
	}
	if a.data, err = io.ReadAll(io.LimitReader(r, int64(elements)*int64(a.size)+1)); err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", name, err, ErrVectors)
	}
	if len(a.data) != elements*a.size {
		return nil, fault("its shape (%s) needs %d bytes of elements, and it has %s", shape[1], elements*a.size,
			counted(len(a.data), elements*a.size))
	}
	return a, nil
}

// counted says how many bytes there are; no more than one too many was read.
func counted(have, want int) string {
	if have > want {
		return "more"
	}
	return strconv.Itoa(have)
}

// vectors says whether it holds one vector for each row.
func (a *array) vectors() bool {
	return a.kind == 'f' && len(a.shape) == 2 && (a.size == 2 || a.size == 4 || a.size == 8)
}

// ids says whether it holds one id for each row.
func (a *array) ids() bool {
	if len(a.shape) != 1 {
		return false
	}
	number := (a.kind == 'i' || a.kind == 'u') && (a.size == 1 || a.size == 2 || a.size == 4 || a.size == 8)
	return number || a.kind == 'U' || a.kind == 'S'
}

// number is the i-th element, a float.
func (a *array) number(i int) float32 {
	b := a.data[i*a.size:]
	switch a.size {
	case 2:
		return half(a.order.Uint16(b))
	case 4:
		return math.Float32frombits(a.order.Uint32(b))
	}
	return float32(math.Float64frombits(a.order.Uint64(b)))
}

// half is an IEEE 754 number of 16 bits.
func half(bits uint16) float32 {
	sign, exponent, fraction := 1.0, int(bits>>10&0x1f), float64(bits&0x3ff)/1024
	if bits>>15 == 1 {
		sign = -1
	}
	switch {
	case exponent == 0:
		return float32(sign * math.Ldexp(fraction, -14))
	case exponent == 31 && fraction == 0:
		return float32(sign * math.Inf(1))
	case exponent == 31:
		return float32(math.NaN())
	}
	return float32(sign * math.Ldexp(1+fraction, exponent-15))
}

// id is the i-th element as an id.
func (a *array) id(i int) string {
	b := a.data[i*a.size : (i+1)*a.size]
	switch a.kind {
	case 'U':
		var text []byte
		for ; len(b) >= 4; b = b[4:] {
			if r := a.order.Uint32(b); r <= utf8.MaxRune && utf8.ValidRune(rune(r)) {
				text = utf8.AppendRune(text, rune(r))
			} else {
				text = append(text, 0xff) // which the rule of ids refuses
			}
		}
		return string(bytes.TrimRight(text, "\x00"))
	case 'S':
		return string(bytes.TrimRight(b, "\x00"))
	}
	var n uint64
	switch a.size {
	case 1:
		n = uint64(b[0])
	case 2:
		n = uint64(a.order.Uint16(b))
	case 4:
		n = uint64(a.order.Uint32(b))
	default:
		n = a.order.Uint64(b)
	}
	if a.kind == 'u' {
		return strconv.FormatUint(n, 10)
	}
	shift := 64 - 8*a.size
	return strconv.FormatInt(int64(n<<shift)>>shift, 10)
}

// take adds the rows of an array of vectors, with the ids that id gives.
func (c *collector) take(name string, a *array, id func(row int) string) error {
	rows, d := a.shape[0], a.shape[1]
	vector := make([]float32, d)
	for row := range rows {
		for j := range vector {
			if a.columns {
				vector[j] = a.number(j*rows + row)
			} else {
				vector[j] = a.number(row*d + j)
			}
		}
		if err := c.add(place{name, "row", row + 1}, id(row), vector); err != nil {
			return err
		}
	}
	return nil
}

// readNPY reads an array of vectors, whose ids are the lines of another file.
func (c *collector) readNPY(name, ids string) (err error) {
	if ids == "" {
		return fmt.Errorf("%s has no ids: name the file that has one id in each line, or save an .npz with the arrays ids "+
			"and vectors: %w", name, ErrVectors)
	}
	file, err := os.Open(c.local(name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	a, err := readArray(name, bufio.NewReader(file))
	if err != nil {
		return err
	}
	if !a.vectors() {
		return fmt.Errorf("%s has the shape %v, want floats in rows and columns: %w", name, a.shape, ErrVectors)
	}
	list, err := os.ReadFile(c.local(ids))
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(string(list), "\r\n", "\n"), "\n"), "\n")
	if len(lines) != a.shape[0] {
		return fmt.Errorf("%s has %d rows, and %s has %d lines: %w", name, a.shape[0], ids, len(lines), ErrVectors)
	}
	return c.take(name, a, func(row int) string { return lines[row] })
}

// readNPZ reads an archive with one array of vectors and one of ids, whatever their names.
func (c *collector) readNPZ(name string) (err error) {
	archive, err := zip.OpenReader(c.local(name))
	if err != nil {
		return fmt.Errorf("%s is no .npz archive: %w: %w", name, err, ErrVectors)
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	var vectors, ids []*array
	for _, entry := range archive.File {
		content, err := entry.Open()
		if err != nil {
			return fmt.Errorf("open %s in %s: %w: %w", entry.Name, name, err, ErrVectors)
		}
		a, err := readArray(name+", "+entry.Name, content)
		if err = errors.Join(err, content.Close()); err != nil {
			return err
		}
		switch {
		case a.vectors():
			vectors = append(vectors, a)
		case a.ids():
			ids = append(ids, a)
		default:
			return fmt.Errorf("%s: the array %s has the shape %v, and is neither vectors (floats in rows and columns) nor "+
				"ids (integers or text); save the two alone: %w", name, entry.Name, a.shape, ErrVectors)
		}
	}
	if len(vectors) != 1 || len(ids) != 1 {
		return fmt.Errorf("%s has %d arrays of vectors and %d of ids, want one each: %w", name, len(vectors),
			len(ids), ErrVectors)
	}
	if vectors[0].shape[0] != ids[0].shape[0] {
		return fmt.Errorf("%s has %d vectors and %d ids: %w", name, vectors[0].shape[0], ids[0].shape[0], ErrVectors)
	}
	return c.take(name, vectors[0], ids[0].id)
}
