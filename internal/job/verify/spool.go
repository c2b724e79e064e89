package verify

import (
	"fmt"
	"os"
	"unsafe"
)

const (
	// spoolBuckets divide what is kept on disk into parts that are judged one at a time, in memory: at
	// ten million events a part has 80,000 facts, 6 MB.
	spoolBuckets = 256
	// blockBytes is what a bucket gathers before it is written: large enough for the disk, and 8 MB
	// for all buckets.
	blockBytes = 32 << 10
)

// spool keeps values on disk, in buckets by hash, so that those of one bucket can be read again
// together. T holds no pointer: its bytes are written as they lie in memory, for this process
// alone. It is not safe for concurrent use.
type spool[T any] struct {
	file    *os.File // without a name: it is gone with the process, however that ends
	end     int64
	waiting [spoolBuckets][]T     // not written yet
	blocks  [spoolBuckets][]int64 // offsets of what is written
}

// newSpool makes an empty spool in dir, the system's temporary folder when dir is empty.
func newSpool[T any](dir string) (*spool[T], error) {
	file, err := os.CreateTemp(dir, "kindred-verify-*")
	if err != nil {
		return nil, fmt.Errorf("make scratch file: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, fmt.Errorf("hide scratch file: %w", err)
	}
	return &spool[T]{file: file}, nil
}

// perBlock is how many values a block has.
func (s *spool[T]) perBlock() int {
	var v T
	return blockBytes / int(unsafe.Sizeof(v))
}

// add keeps v in bucket b.
func (s *spool[T]) add(b byte, v T) error {
	s.waiting[b] = append(s.waiting[b], v)
	if len(s.waiting[b]) < s.perBlock() {
		return nil
	}
	if _, err := s.file.WriteAt(memory(s.waiting[b]), s.end); err != nil {
		return fmt.Errorf("write scratch file: %w (--scratch names another folder)", err)
	}
	s.blocks[b] = append(s.blocks[b], s.end)
	s.end += int64(len(memory(s.waiting[b])))
	s.waiting[b] = s.waiting[b][:0]
	return nil
}

// bucket reads everything in bucket b into the room of into, in the order in which it was added.
func (s *spool[T]) bucket(b int, into []T) ([]T, error) {
	into = into[:0]
	for _, at := range s.blocks[b] {
		n := len(into)
		into = append(into, make([]T, s.perBlock())...)
		if _, err := s.file.ReadAt(memory(into[n:]), at); err != nil {
			return nil, fmt.Errorf("read scratch file: %w", err)
		}
	}
	return append(into, s.waiting[b]...), nil
}

// close frees the disk.
func (s *spool[T]) close() error { return s.file.Close() }

// memory is the bytes of values.
func memory[T any](values []T) []byte {
	var v T
	//nolint:gosec // T has no pointers
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*int(unsafe.Sizeof(v)))
}
