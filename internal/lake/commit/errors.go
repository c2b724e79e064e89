package commit

import (
	"errors"
	"fmt"

	"kindred/internal/lake/objectstore"
)

var (
	// ErrNoCurrent means that nothing has been committed yet.
	ErrNoCurrent = errors.New("nothing is committed yet")
	// ErrConflict means that another run was committed first; the error's text names it. The caller
	// starts over or yields.
	ErrConflict = errors.New("another run was committed first")
	// ErrCorrupt means that stored bytes are not those the manifest lists, or that a listed file is gone.
	ErrCorrupt = errors.New("stored data is damaged")
	// ErrRunTaken means that the run's folder holds other content already; it is never overwritten.
	ErrRunTaken = errors.New("run exists already with other content")
	// ErrCollected means that Prune has the run's folder: it was not completed for too long. It is an
	// objectstore.ErrNotFound.
	ErrCollected = fmt.Errorf("its files were collected as left behind: %w", objectstore.ErrNotFound)
)
