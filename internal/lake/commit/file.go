package commit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/checksum"
)

// hashFiles returns files sorted by path, with the sizes and hashes of what lies in dir.
func hashFiles(dir string, files []File) ([]File, error) {
	files = slices.Clone(files)
	if err := checkFiles(files); err != nil {
		return nil, err
	}
	for i, f := range files {
		sum, size, err := checksum.File(filepath.Join(dir, filepath.FromSlash(f.Path)))
		if err != nil {
			return nil, fmt.Errorf("hash %s: %w", f.Path, err)
		}
		if f.SHA256 != "" && f.SHA256 != sum || f.Bytes != 0 && f.Bytes != size {
			return nil, fmt.Errorf("hash %s: %w: it changed since it was written", f.Path, ErrCorrupt)
		}
		files[i].SHA256, files[i].Bytes = sum, size
	}
	return files, nil
}

// upload writes one file of a run if absent. An object with the same bytes, left by an earlier
// attempt, is accepted.
func (r *Repository) upload(ctx context.Context, run, dir string, f File) error {
	file, err := os.Open(filepath.Join(dir, filepath.FromSlash(f.Path)))
	if err != nil {
		return fmt.Errorf("upload %s of run %s: %w", f.Path, run, err)
	}
	_, err = r.store.Put(ctx, r.key(run, f.Path), file, f.Bytes, objectstore.Condition{IfNoneMatch: true})
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if errors.Is(err, objectstore.ErrPrecondition) {
		err = r.copyChecked(ctx, run, f, io.Discard)
		if errors.Is(err, ErrCorrupt) {
			err = ErrRunTaken
		}
	}
	if err != nil {
		return fmt.Errorf("upload %s of run %s: %w", f.Path, run, err)
	}
	return nil
}

// Fetch downloads a file of m to the local path dst, whose folder it creates. dst appears only when
// size and hash are right; ErrCorrupt when they are not or the file is gone.
func (r *Repository) Fetch(ctx context.Context, m Manifest, f File, dst string) (err error) {
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return fmt.Errorf("fetch %s of run %s: %w", f.Path, m.Run, err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(dst), ".fetch-*")
	if err != nil {
		return fmt.Errorf("fetch %s of run %s: %w", f.Path, m.Run, err)
	}
	defer func() {
		if removeErr := os.Remove(temporary.Name()); !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}()
	err = r.copyChecked(ctx, m.Run, f, temporary)
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), dst)
	}
	if err != nil {
		return fmt.Errorf("fetch %s of run %s: %w", f.Path, m.Run, err)
	}
	return nil
}

// Read returns a file of m, which should be small. ErrCorrupt as in Fetch.
func (r *Repository) Read(ctx context.Context, m Manifest, f File) ([]byte, error) {
	var content bytes.Buffer
	if err := r.copyChecked(ctx, m.Run, f, &content); err != nil {
		return nil, fmt.Errorf("read %s of run %s: %w", f.Path, m.Run, err)
	}
	return content.Bytes(), nil
}

// ReadRange returns size bytes of a file of a run from offset on, fewer at its end. It checks no hash, so a
// reader must be able to tell what is damaged.
func (r *Repository) ReadRange(ctx context.Context, run, name string, offset, size int64) ([]byte, error) {
	if err := checkRun(run); err != nil {
		return nil, err
	}
	return r.store.GetRange(ctx, r.key(run, name), offset, size)
}

// copyChecked streams a stored file to w and reports ErrCorrupt when it is not the one that f describes.
func (r *Repository) copyChecked(ctx context.Context, run string, f File, w io.Writer) error {
	body, _, err := r.store.Get(ctx, r.key(run, f.Path))
	if errors.Is(err, objectstore.ErrNotFound) {
		return fmt.Errorf("%w: the file is gone", ErrCorrupt)
	}
	if err != nil {
		return err
	}
	hash := sha256.New()
	// one byte more shows that it is too long
	size, err := io.Copy(io.MultiWriter(w, hash), io.LimitReader(body, f.Bytes+1))
	if err = errors.Join(err, body.Close()); err != nil {
		return err
	}
	if size != f.Bytes {
		return fmt.Errorf("%w: it has not the %d bytes that the manifest lists", ErrCorrupt, f.Bytes)
	}
	if sum := hex.EncodeToString(hash.Sum(nil)); sum != f.SHA256 {
		return fmt.Errorf("%w: its SHA-256 begins %s, the manifest lists %.8s", ErrCorrupt, sum[:8], f.SHA256)
	}
	return nil
}
