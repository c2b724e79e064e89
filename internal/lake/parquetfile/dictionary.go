package parquetfile

import (
	"encoding/binary"
	"slices"

	"github.com/parquet-go/parquet-go/format"
)

// Dictionary is the distinct values of a column chunk. The code of a value is its place among them.
type Dictionary struct {
	kind     format.Type
	n        int
	plain    []byte
	min, max []byte // nil without values
}

// Texts makes a dictionary of a text column.
func Texts(values []string) *Dictionary {
	d := &Dictionary{kind: format.ByteArray, n: len(values)}
	for _, v := range values {
		d.plain = binary.LittleEndian.AppendUint32(d.plain, uint32(len(v)))
		d.plain = append(d.plain, v...)
	}
	if d.n > 0 {
		d.min, d.max = []byte(slices.Min(values)), []byte(slices.Max(values))
	}
	return d
}

// Int32s makes a dictionary of a column of 32-bit integers or shorter ones.
func Int32s(values []int32) *Dictionary {
	return integers(format.Int32, values,
		func(dst []byte, v int32) []byte { return binary.LittleEndian.AppendUint32(dst, uint32(v)) })
}

// Int64s makes a dictionary of a column of 64-bit integers or decimals.
func Int64s(values []int64) *Dictionary {
	return integers(format.Int64, values,
		func(dst []byte, v int64) []byte { return binary.LittleEndian.AppendUint64(dst, uint64(v)) })
}

func integers[T int32 | int64](kind format.Type, values []T, plain func([]byte, T) []byte) *Dictionary {
	d := &Dictionary{kind: kind, n: len(values)}
	for _, v := range values {
		d.plain = plain(d.plain, v)
	}
	if d.n > 0 {
		d.min, d.max = plain(nil, slices.Min(values)), plain(nil, slices.Max(values))
	}
	return d
}
