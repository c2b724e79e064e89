package vectorfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/objectkey"
)

const s3Scheme = "s3://"

// ReadFrom is Read of files that may be on S3: a name s3://bucket/key is an object, or a folder of them. It
// copies objects to scratchDir first, empty: the system's folder. Errors name the objects.
func ReadFrom(ctx context.Context, name, ids, scratchDir string) (*Vectors, error) {
	return withCopies(scratchDir, name, func(c *copies) (*Vectors, error) {
		parts, err := c.partsOf(ctx, name)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(ids, s3Scheme) {
			store, key, err := open(ctx, ids)
			if err != nil {
				return nil, err
			}
			if err := c.add(ctx, store, key, ids); err != nil {
				return nil, fmt.Errorf("read %s: %w", ids, err)
			}
		}
		return read(name, parts, ids, c.files)
	})
}

// ReadStored is ReadFrom of an object of a store, or of a folder of them.
func ReadStored(ctx context.Context, store objectstore.Store, key, scratchDir string) (*Vectors, error) {
	name := fmt.Sprintf("%s/%s", store, key)
	return withCopies(scratchDir, name, func(c *copies) (*Vectors, error) {
		parts, err := c.objects(ctx, store, key, name)
		if err != nil {
			return nil, err
		}
		return read(name, parts, "", c.files)
	})
}

// withCopies gives work a folder for copies, which is removed afterwards.
func withCopies(scratchDir, name string, work func(*copies) (*Vectors, error)) (_ *Vectors, err error) {
	dir, err := os.MkdirTemp(scratchDir, "kindred-vectors-*")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return work(&copies{dir: dir, files: map[string]string{}})
}

// copies are local files by the names of their objects.
type copies struct {
	dir   string
	files map[string]string
}

// partsOf lists the files of a name and copies those on S3.
func (c *copies) partsOf(ctx context.Context, name string) ([]string, error) {
	if !strings.HasPrefix(name, s3Scheme) {
		return partsOf(name)
	}
	store, key, err := open(ctx, name)
	if err != nil {
		return nil, err
	}
	return c.objects(ctx, store, key, name)
}

// objects copies the object of a key or, where there is none, the parts in the folder of that name. name is
// both in messages.
func (c *copies) objects(ctx context.Context, store objectstore.Store, key, name string) ([]string, error) {
	err := c.add(ctx, store, key, name)
	if err == nil {
		return []string{name}, nil
	}
	if !errors.Is(err, objectstore.ErrNotFound) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	var keys []string
	for info, err := range store.List(ctx, key+"/") {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", name, err)
		}
		if !strings.Contains(info.Key[len(key)+1:], "/") {
			keys = append(keys, info.Key)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s is neither an object nor a folder with objects: %w", name, os.ErrNotExist)
	}
	parts := partsAmong(keys)
	if len(parts) == 0 {
		return nil, fmt.Errorf("the folder %s has no object that ends in .parquet or .csv: %w", name, ErrVectors)
	}
	for i, part := range parts {
		parts[i] = name + strings.TrimPrefix(part, key)
		if err := c.add(ctx, store, part, parts[i]); err != nil {
			return nil, fmt.Errorf("read %s: %w", parts[i], err)
		}
	}
	return parts, nil
}

// add copies an object.
func (c *copies) add(ctx context.Context, store objectstore.Store, key, name string) (err error) {
	body, _, err := store.Get(ctx, key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	local := filepath.Join(c.dir, strconv.Itoa(len(c.files)))
	file, err := os.Create(local)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, body)
	c.files[name] = local
	return errors.Join(err, file.Close())
}

// open finds the bucket and the key of a name.
func open(ctx context.Context, name string) (store objectstore.Store, key string, err error) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(name, s3Scheme), "/")
	key = strings.TrimSuffix(key, "/")
	if err := objectkey.Check(key); bucket == "" || err != nil {
		return nil, "", fmt.Errorf("%s names no object, want s3://bucket/key: %w", name, ErrVectors)
	}
	if store, err = objectstore.Open(ctx, s3Scheme+bucket); err != nil {
		return nil, "", fmt.Errorf("read %s: %w", name, err)
	}
	return store, key, nil
}
