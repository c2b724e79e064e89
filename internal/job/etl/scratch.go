package etl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	scratchPrefix = "kindred-etl-"
	lockName      = "lock"
)

// withScratch gives do a folder of its own that is removed after it. First it removes those of dead
// processes: each folder holds a lock that the kernel releases when its owner dies, and a killed
// run would otherwise leave gigabytes.
func withScratch(o Options, do func(dir string) error) (err error) {
	parent := o.ScratchDir
	if parent == "" {
		parent = os.TempDir()
	}
	removeAbandoned(parent)
	dir, err := os.MkdirTemp(parent, scratchPrefix+"*")
	if err != nil {
		return fmt.Errorf("create scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	unlock, err := lockScratch(dir)
	if err != nil {
		return fmt.Errorf("lock scratch folder: %w", err)
	}
	defer unlock()
	return do(dir)
}

// lockScratch makes the lock appear when it is held, so that nobody sees it free.
func lockScratch(dir string) (unlock func(), err error) {
	file, err := os.CreateTemp(dir, lockName+"-*")
	if err != nil {
		return nil, err
	}
	if err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err == nil {
		err = os.Rename(file.Name(), filepath.Join(dir, lockName))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { _ = file.Close() }, nil // closing releases it
}

// removeAbandoned removes the folders whose lock is free. What cannot be removed, another user's
// for example, stays.
func removeAbandoned(parent string) {
	locks, _ := filepath.Glob(filepath.Join(parent, scratchPrefix+"*", lockName))
	for _, lock := range locks {
		file, err := os.OpenFile(lock, os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Dir(lock))
		}
		_ = file.Close()
	}
}
