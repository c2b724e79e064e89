package rollup

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"kindred/internal/lake/commit"
)

// Entry says where an id is. On disk it has 16 bytes, big-endian: 8 of the hash, 4 each of the others. A segment
// holds its entries in their order, so that the hash, which is evenly spread, says where to look.
type Entry struct {
	Hash   uint64 // of the id
	Object uint32 // where the object's name begins in the segment's file of names, each of which ends with a newline
	Offset uint32 // where the line begins in the object, unpacked
}

const (
	entryBytes = 16
	// lookEntries is how many entries are read at once, 64 KiB: of ten million, the guess is off by 1,600.
	lookEntries = 4096
	// nameBytes bounds an object's name, as S3 does.
	nameBytes = 1024
)

// Hash is what the index knows of an id: the first 64 bits of its SHA-256.
func Hash(id string) uint64 {
	sum := sha256.Sum256([]byte(id))
	return binary.BigEndian.Uint64(sum[:])
}

// Order is the order of entries.
func Order(a, b Entry) int {
	return cmp.Or(cmp.Compare(a.Hash, b.Hash), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Offset, b.Offset))
}

func (e Entry) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, e.Hash)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(dst, e.Object), e.Offset)
}

func entryOf(b []byte) Entry {
	return Entry{binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])}
}

// Place is where an id may be: the line at Offset of the object, unless the object was written again since. Another
// id may have the same hash, so who looks compares the id itself.
type Place struct {
	Key    string
	Offset int64
}

// Find returns the places of an id, those of the newest segment first: it reads about 64 KiB a segment.
// objectstore.ErrNotFound when a segment is gone, because newer runs have replaced this one: find the current one.
func Find(ctx context.Context, repo *commit.Repository, d Details, id string) (places []Place, err error) {
	hash := Hash(id)
	for i := len(d.Segments) - 1; i >= 0; i-- {
		s := d.Segments[i]
		found, err := find(hash, s.Entries, func(from, n int64) ([]byte, error) {
			data, err := repo.ReadRange(ctx, s.Run, indexFile, from*entryBytes, n*entryBytes)
			if err == nil && int64(len(data)) != n*entryBytes {
				err = fmt.Errorf("%w: %s of roll-up %s is too short", commit.ErrCorrupt, indexFile, s.Run)
			}
			return data, err
		})
		if err != nil {
			return nil, fmt.Errorf("look into the index: %w", err)
		}
		for _, e := range found {
			name, err := repo.ReadRange(ctx, s.Run, objectsFile, int64(e.Object), nameBytes+1)
			if err != nil {
				return nil, fmt.Errorf("look into the index: %w", err)
			}
			key, _, ok := bytes.Cut(name, []byte("\n"))
			if !ok {
				return nil, fmt.Errorf("%w: %s of roll-up %s names no object", commit.ErrCorrupt, objectsFile, s.Run)
			}
			places = append(places, Place{Key: string(key), Offset: int64(e.Offset)})
		}
	}
	return places, nil
}

// find returns the entries of a hash among n sorted ones, of which read returns those from a place on.
func find(hash uint64, n int64, read func(from, n int64) ([]byte, error)) (found []Entry, err error) {
	at, err := lowerBound(hash, n, read)
	if err != nil {
		return nil, err
	}
	for at < n {
		data, err := read(at, min(lookEntries, n-at))
		if err != nil {
			return nil, err
		}
		for ; len(data) > 0; data, at = data[entryBytes:], at+1 {
			e := entryOf(data)
			if e.Hash != hash {
				return found, nil
			}
			found = append(found, e)
		}
	}
	return found, nil
}

// guesses is how often the place is guessed before it is halved: entries of few hashes are not evenly spread.
const guesses = 4

// lowerBound is the place of the first entry whose hash is not below.
func lowerBound(hash uint64, n int64, read func(from, n int64) ([]byte, error)) (int64, error) {
	low, high := int64(0), n                          // it is in low to high
	lowHash, highHash := 0.0, float64(math.MaxUint64) // of what is there, about
	for try := 0; low < high; try++ {
		middle := low + (high-low)/2
		if try < guesses && highHash > lowHash {
			middle = low + int64((float64(hash)-lowHash)/(highHash-lowHash)*float64(high-low))
		}
		from := max(low, min(middle-lookEntries/2, high-lookEntries))
		size := min(lookEntries, high-from)
		data, err := read(from, size)
		if err != nil {
			return 0, err
		}
		first, last := entryOf(data).Hash, entryOf(data[len(data)-entryBytes:]).Hash
		switch {
		case first >= hash:
			high, highHash = from, float64(first)
		case last < hash:
			low, lowHash = from+size, float64(last)
		default:
			for i := int64(0); ; i++ {
				if entryOf(data[i*entryBytes:]).Hash >= hash {
					return from + i, nil
				}
			}
		}
	}
	return low, nil
}

// run is a sorted source of entries.
type run struct {
	next  func() (Entry, error) // io.EOF at its end
	shift uint32                // what its names are moved by
	head  Entry
	ended bool
}

func (r *run) advance() error {
	e, err := r.next()
	if errors.Is(err, io.EOF) {
		r.ended = true
		return nil
	}
	e.Object += r.shift
	r.head = e
	return err
}

// fileRun reads the segment at a path.
func fileRun(file io.Reader) func() (Entry, error) {
	in := bufio.NewReaderSize(file, 1<<18)
	var raw [entryBytes]byte
	return func() (Entry, error) {
		_, err := io.ReadFull(in, raw[:])
		return entryOf(raw[:]), err
	}
}

// merge writes the entries of sorted runs into a file, and returns their number.
func merge(dir string, runs []*run) (entries int64, err error) {
	file, err := os.Create(filepath.Join(dir, indexFile))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriterSize(file, 1<<18)
	for _, r := range runs {
		if err := r.advance(); err != nil {
			return 0, err
		}
	}
	var raw [entryBytes]byte
	for {
		var least *run
		for _, r := range runs {
			if !r.ended && (least == nil || Order(r.head, least.head) < 0) {
				least = r
			}
		}
		if least == nil {
			return entries, out.Flush()
		}
		if _, err := out.Write(least.head.append(raw[:0])); err != nil {
			return 0, err
		}
		entries++
		if err := least.advance(); err != nil {
			return 0, err
		}
	}
}
