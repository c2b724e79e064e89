package objectstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"kindred/internal/platform/checksum"
	"kindred/internal/platform/objectkey"
)

// internalDir holds the lock and unfinished objects of a Folder, on the same file system as the objects.
const internalDir = objectkey.Reserved

// Folder keeps each object in a file of a local folder. A write goes to a temporary file, which is
// renamed under an flock on the whole folder, so racing processes see exactly one winner. The ETag
// is the content's SHA-256: Get reads the file twice. Linux and macOS.
type Folder struct {
	dir string
}

var _ Store = (*Folder)(nil)

// NewFolder makes a store of the files in dir, which the first Put creates.
func NewFolder(dir string) *Folder {
	return &Folder{dir: filepath.Clean(dir)}
}

// Get opens an object. A write that happens while the body is read does not change what is read.
func (f *Folder) Get(ctx context.Context, key string) (io.ReadCloser, Info, error) {
	if err := objectkey.Check(key); err != nil {
		return nil, Info{}, err
	}
	file, info, err := f.open(ctx, key)
	if err != nil {
		return nil, Info{}, fmt.Errorf("read %s of %s: %w", key, f, err)
	}
	return file, info, nil
}

// GetRange reads a part of an object, without reading the rest.
func (f *Folder) GetRange(_ context.Context, key string, offset, size int64) (part []byte, err error) {
	if err := objectkey.Check(key); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("read %d bytes at %d of %s of %s: %w", size, offset, key, f, err)
		}
	}()
	file, err := openFile(f.path(key))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if stat, err := file.Stat(); err != nil {
		return nil, err
	} else if stat.IsDir() {
		return nil, ErrNotFound
	}
	return io.ReadAll(io.NewSectionReader(file, offset, size))
}

// openFile is os.Open, with ErrNotFound where there is no such file.
func openFile(name string) (*os.File, error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, ErrNotFound
	}
	return file, err
}

func (f *Folder) open(ctx context.Context, key string) (*os.File, Info, error) {
	file, err := openFile(f.path(key))
	if err != nil {
		return nil, Info{}, err
	}
	info, err := describe(ctx, file, key)
	if err != nil {
		return nil, Info{}, errors.Join(err, file.Close())
	}
	return file, info, nil
}

func describe(ctx context.Context, file *os.File, key string) (Info, error) {
	stat, err := file.Stat()
	if err != nil {
		return Info{}, err
	}
	if stat.IsDir() { // "a" beside "a/b": S3 allows both, a file system does not
		return Info{}, ErrNotFound
	}
	sum, _, err := checksum.Reader(contextReader{ctx, file})
	if err != nil {
		return Info{}, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return Info{}, err
	}
	return Info{Key: key, ETag: sum, Size: stat.Size(), Modified: stat.ModTime()}, nil
}

// Put writes an object.
func (f *Folder) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, cond Condition) (Info, error) {
	if err := objectkey.Check(key); err != nil {
		return Info{}, err
	}
	info, err := f.put(ctx, key, body, size, cond)
	if err != nil {
		return Info{}, fmt.Errorf("write %s to %s: %w", key, f, err)
	}
	return info, nil
}

func (f *Folder) put(ctx context.Context, key string, body io.ReadSeeker, size int64,
	cond Condition) (_ Info, err error) {
	if err := os.MkdirAll(filepath.Join(f.dir, internalDir), 0o755); err != nil {
		return Info{}, err
	}
	temporary, err := os.CreateTemp(filepath.Join(f.dir, internalDir), "put-*")
	if err != nil {
		return Info{}, err
	}
	defer func() {
		err = errors.Join(err, ignore(os.Remove(temporary.Name()), fs.ErrNotExist))
	}()
	hash := sha256.New()
	if err := fill(ctx, temporary, hash, body, size); err != nil {
		return Info{}, errors.Join(err, temporary.Close())
	}
	stat, err := temporary.Stat()
	if err = errors.Join(err, temporary.Close()); err != nil {
		return Info{}, err
	}
	unlock, err := f.lock()
	if err != nil {
		return Info{}, err
	}
	defer unlock()
	if err := f.check(ctx, key, cond); err != nil {
		return Info{}, err
	}
	target := f.path(key)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return Info{}, err
	}
	if err := os.Rename(temporary.Name(), target); err != nil {
		return Info{}, err
	}
	if err := syncDir(filepath.Dir(target)); err != nil {
		return Info{}, err
	}
	return Info{Key: key, ETag: hex.EncodeToString(hash.Sum(nil)), Size: size, Modified: stat.ModTime()}, nil
}

// check reports ErrPrecondition when cond does not hold. The caller holds the lock.
func (f *Folder) check(ctx context.Context, key string, cond Condition) error {
	if cond == (Condition{}) {
		return nil
	}
	file, info, err := f.open(ctx, key)
	absent := errors.Is(err, ErrNotFound)
	if err != nil && !absent {
		return err
	}
	if err == nil {
		if err := file.Close(); err != nil {
			return err
		}
	}
	if cond.IfNoneMatch && !absent || cond.IfMatch != "" && (absent || info.ETag != cond.IfMatch) {
		return ErrPrecondition
	}
	return nil
}

// List yields the objects under prefix in key order.
func (f *Folder) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		infos, err := f.list(ctx, prefix)
		if err != nil {
			yield(Info{}, fmt.Errorf("list %s of %s: %w", prefix, f, err))
			return
		}
		for _, info := range infos {
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (f *Folder) list(ctx context.Context, prefix string) ([]Info, error) {
	var infos []Info
	start := f.dir
	if i := strings.LastIndexByte(prefix, '/'); i > 0 && objectkey.Check(prefix[:i]) == nil {
		start = f.path(prefix[:i])
	}
	err := filepath.WalkDir(start, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return ignore(err, fs.ErrNotExist) // gone since its folder was read, or no folder at all
		}
		if entry.IsDir() {
			if entry.Name() == internalDir {
				return fs.SkipDir
			}
			return ctx.Err()
		}
		relative, err := filepath.Rel(f.dir, path)
		if err != nil {
			return err
		}
		key := filepath.ToSlash(relative)
		if !strings.HasPrefix(key, prefix) {
			return nil
		}
		stat, err := entry.Info()
		if err != nil {
			return ignore(err, fs.ErrNotExist)
		}
		infos = append(infos, Info{Key: key, Size: stat.Size(), Modified: stat.ModTime()})
		return nil
	})
	slices.SortFunc(infos, func(a, b Info) int { return strings.Compare(a.Key, b.Key) })
	return infos, err
}

// Delete removes an object.
func (f *Folder) Delete(_ context.Context, key string) error {
	if err := objectkey.Check(key); err != nil {
		return err
	}
	if info, err := os.Stat(f.path(key)); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) ||
		err == nil && info.IsDir() {
		return nil
	}
	unlock, err := f.lock()
	if err != nil {
		return fmt.Errorf("delete %s of %s: %w", key, f, err)
	}
	defer unlock()
	if err := ignore(os.Remove(f.path(key)), fs.ErrNotExist); err != nil {
		return fmt.Errorf("delete %s of %s: %w", key, f, err)
	}
	return nil
}

// String is file:///folder.
func (f *Folder) String() string { return "file://" + filepath.ToSlash(f.dir) }

func (f *Folder) path(key string) string { return filepath.Join(f.dir, filepath.FromSlash(key)) }

// lock excludes every other writer of the folder, in this process and in others. It is held only
// while a condition is checked and a file renamed, and the kernel releases it when a process dies.
func (f *Folder) lock() (unlock func(), err error) {
	// not there in a folder that was filled by hand
	if err := os.MkdirAll(filepath.Join(f.dir, internalDir), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(f.dir, internalDir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", file.Name(), err), file.Close())
	}
	return func() { _ = file.Close() }, nil // closing the descriptor releases the lock
}

// fill copies body to file and to hash, and makes the file durable.
func fill(ctx context.Context, file *os.File, hash io.Writer, body io.ReadSeeker, size int64) error {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	n, err := io.Copy(io.MultiWriter(file, hash), contextReader{ctx, body})
	if err != nil {
		return err
	}
	if n != size {
		return fmt.Errorf("body has %d bytes, want %d", n, size)
	}
	if err := file.Chmod(0o644); err != nil {
		return err
	}
	return file.Sync()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func ignore(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}

// contextReader stops reading when ctx ends.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
