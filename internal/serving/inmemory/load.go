package inmemory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"kindred/internal/model/ials"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/logkey"
	"kindred/internal/platform/retry"
	"kindred/internal/platform/s3object"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/scan"
	"kindred/internal/serving/vectorstore"
)

const (
	// rangeBytes is what a step reads of a file.
	rangeBytes = s3object.MaxRange
	// stepTime is about how long a step decodes what it has read.
	stepTime = 50 * time.Millisecond
	// stepRows are decoded at once.
	stepRows = 1024
	// readTime is the longest that a step waits for the files or the database.
	readTime = 2 * time.Second
	// goComponents is how many components the vectors of a version may have in all where the program has
	// only portable kernels: there a scan of more takes longer than an index of the vector database
	// (docs/decisions/0053).
	goComponents = 2_000_000
)

// policy says when a version that could not be loaded is tried again.
var policy = retry.Policy{FirstPause: 10 * time.Second, LongestPause: 10 * time.Minute, Jitter: 0.2}

var (
	errCorrupt = errors.New("the file is not what the manifest says")
	errUnfit   = errors.New("it does not fit")
)

// loader brings versions into memory, one after the other, step by step.
type loader struct {
	database database
	files    files
	budget   int64
	slow     bool // only portable kernels
	log      *slog.Logger
	now      func() time.Time

	stepping sync.Mutex // is held by the goroutine that uses what follows
	current  *loading   // nil: none
	pauses   retry.Pauses
	pause    time.Time // nothing is tried before
	failing  bool      // the last try failed, which was logged
	tried    string    // the version that these three are about
}

func newLoader(db database, from files, budget int64, log *slog.Logger, now func() time.Time) *loader {
	return &loader{database: db, files: from, budget: budget, slow: strings.HasPrefix(ials.Kernel(), "go-"), log: log,
		now: now, pauses: policy.Pauses()}
}

// loading is a version on its way into memory.
type loading struct {
	model *recommend.Model
	index *scan.Index
	bytes int64 // that the index will take
	whole bool  // only the state of products is missing
	files modelfile.Products
	file  *file
	rows  *modelfile.Rows[modelversion.Item]
	near  *modelfile.Rows[[]modelversion.Neighbour]
}

// file is a file on its way into memory.
type file struct {
	modelfile.File

	data []byte
	hash hash.Hash
}

// Step does some of the work of bringing into memory the versions that answer: it reads 4 MB, or decodes
// for a moment. more says that there is more to do now. It waits for nobody but the files and the
// database, and for these at most readTime. While a version that answers is not in memory, the database
// answers for it.
func (s *Store) Step(ctx context.Context) (more bool) {
	l := s.loader
	if !l.stepping.TryLock() {
		return false // somebody else takes one
	}
	defer l.stepping.Unlock()
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	wanted, takes, lost := s.missing()
	if wanted != nil && wanted.Version != l.tried { // what another version did says nothing of this one
		l.tried, l.pauses, l.pause, l.failing = wanted.Version, policy.Pauses(), time.Time{}, false
	}
	if lost { // which was logged
		l.pause, l.failing = l.now().Add(l.pauses.Next()), true
	}
	if l.current != nil && (wanted == nil || l.current.model.Version != wanted.Version) {
		l.current = nil
	}
	if l.now().Before(l.pause) {
		return false
	}
	if wanted == nil {
		return s.stepFacts(ctx)
	}
	if l.current == nil {
		l.current = &loading{model: wanted}
	}
	done, err := s.step(ctx, l.current, takes)
	switch version := slog.String(logkey.ModelVersion, wanted.Version); {
	case errors.Is(err, errUnfit):
		l.current = nil
		s.refuse(wanted.Version)
		l.log.LogAttrs(ctx, slog.LevelInfo, "the vector database answers, not the memory", version,
			slog.String(logkey.Error, err.Error()))
	case err != nil:
		if l.pause = l.now().Add(l.pauses.Next()); !l.current.whole {
			l.current = nil
		}
		if !l.failing && !errors.Is(err, context.Canceled) {
			l.failing = true
			l.log.LogAttrs(ctx, slog.LevelWarn, "not loaded into memory: the vector database answers", version,
				slog.String(logkey.Error, err.Error()))
		}
		return false
	case done:
		l.current, l.failing = nil, false
		l.pauses.Reset()
		l.log.LogAttrs(ctx, slog.LevelInfo, "the memory answers", version)
	}
	return true
}

// takes is what the versions in memory take, in bytes.
type takes struct {
	all   int64
	facts int64 // of these, what rules see
}

// missing is the first version that answers and is not in memory, unless it does not fit, and what the
// others take; nil: there is none. lost says, once, that those in memory were let go.
func (s *Store) missing() (wanted *recommend.Model, used takes, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost, s.lost = s.lost, false
	for _, m := range s.wanted {
		if s.held[m.Version] == nil && !s.refused[m.Version] && wanted == nil {
			wanted = m
		}
	}
	for _, h := range s.held {
		facts := h.filled.facts.Bytes()
		used.all, used.facts = used.all+h.bytes+h.fresh.Bytes()+facts, used.facts+facts
	}
	return wanted, used, lost
}

// refuse keeps a version out of memory until other versions answer.
func (s *Store) refuse(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[version] = true
}

// step takes the next step with a version; done says that it is in memory.
func (s *Store) step(ctx context.Context, l *loading, used takes) (done bool, err error) {
	switch {
	case l.index == nil:
		crowded, err := s.loader.begin(ctx, l, used)
		if crowded {
			s.dropFacts()
		}
		return false, err
	case l.whole:
	case l.file.hash != nil:
		return false, s.loader.read(ctx, l)
	case l.rows != nil:
		return false, s.loader.decodeItems(l)
	case l.near != nil:
		return false, s.loader.decodeNear(l)
	}
	if !l.whole {
		if err := l.index.Finish(); err != nil {
			return false, err
		}
		l.whole, l.file = true, nil
	}
	return true, s.hold(ctx, l)
}

// begin reads the manifest of a version and looks whether it fits. crowded says that it does without the facts that
// rules see: for want of them the vector database answers a few questions, for want of a version all of its own.
func (l *loader) begin(ctx context.Context, v *loading, used takes) (crowded bool, err error) {
	version, solver := v.model.Version, v.model.Solver
	products, numbered, err := l.database.Numbered(ctx, version)
	if err != nil {
		return false, err
	}
	v.bytes = scan.Bytes(products, solver.Dim, solver.Neighbours)
	switch {
	case !numbered:
		return false, fmt.Errorf("%w: an earlier program loaded it, without numbers of products; publish a newer version",
			errUnfit)
	case l.slow && products*solver.Dim > goComponents:
		return false, fmt.Errorf("%w: %d products of %d components are too many for a processor without vector kernels",
			errUnfit, products, solver.Dim)
	}
	manifest, err := l.files.ReadRange(ctx, modelfile.ManifestKey(version), 0, rangeBytes)
	if err != nil {
		return false, err
	}
	if v.files, err = modelfile.ProductFiles(manifest, version); err != nil {
		return false, err
	}
	file := v.files.Items.Bytes // while it is decoded
	if near := v.files.Near; near != nil {
		file = max(file, near.Bytes)
	}
	need := used.all + v.bytes + file
	if need-used.facts > l.budget {
		return false, fmt.Errorf("%w: it needs %d MB, and the versions may take %d MB (MEMORY_SHARE)", errUnfit,
			(need-used.facts)>>20, l.budget>>20)
	}
	v.index = scan.New(solver, products)
	v.file = newFile(v.files.Items)
	return need > l.budget, nil
}

func newFile(f modelfile.File) *file {
	return &file{f, make([]byte, 0, f.Bytes), sha256.New()}
}

// read reads the next range of a file. After the last one it checks the whole.
func (l *loader) read(ctx context.Context, v *loading) error {
	f := v.file
	data, err := l.files.ReadRange(ctx, f.Key, int64(len(f.data)), min(rangeBytes, f.Bytes-int64(len(f.data))))
	if err != nil {
		return err
	}
	if len(data) == 0 || int64(len(f.data)+len(data)) > f.Bytes {
		return fmt.Errorf("read %s: %w: it has another length than %d", f.Key, errCorrupt, f.Bytes)
	}
	f.hash.Write(data)
	f.data = append(f.data, data...)
	if int64(len(f.data)) < f.Bytes {
		return nil
	}
	if hex.EncodeToString(f.hash.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("read %s: %w", f.Key, errCorrupt)
	}
	if f.hash = nil; f.Key == v.files.Items.Key {
		v.rows, err = modelfile.ItemRows(f.data)
	} else {
		v.near, err = modelfile.NearRows(f.data)
	}
	return err
}

// decodeItems decodes for a moment. After the last product it goes on to their neighbours.
func (l *loader) decodeItems(v *loading) error {
	for start := l.now(); l.now().Sub(start) < stepTime; {
		items, err := v.rows.Next(stepRows)
		if err != nil {
			return err
		}
		for i := range items {
			it := &items[i]
			if err := v.index.Add(it.Code, it.Positives, it.QuantityInStock > 0, it.Vector); err != nil {
				return fmt.Errorf("read %s: %w", v.file.Key, err)
			}
		}
		if len(items) == 0 {
			if v.rows = nil; v.files.Near != nil {
				v.file = newFile(*v.files.Near)
			}
			return nil
		}
	}
	return nil
}

func (l *loader) decodeNear(v *loading) error {
	for start := l.now(); l.now().Sub(start) < stepTime; {
		lists, err := v.near.Next(stepRows)
		if err != nil {
			return err
		}
		for _, list := range lists {
			if err := v.index.AddNear(list); err != nil {
				return fmt.Errorf("read %s: %w", v.file.Key, err)
			}
		}
		if len(lists) == 0 {
			v.near = nil
			return nil
		}
	}
	return nil
}

// hold lets the memory answer for a version, with the state of products as it is now.
func (s *Store) hold(ctx context.Context, l *loading) error {
	s.reading.Lock()
	defer s.reading.Unlock()
	s.mu.Lock()
	s.holding = true
	versions := append(slices.Sorted(maps.Keys(s.held)), l.model.Version)
	s.mu.Unlock()
	changes, err := s.database.State(ctx, vectorstore.Since{}, versions)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding, s.heldAt = false, time.Now()
	if err != nil {
		return err
	}
	s.held[l.model.Version] = &held{index: l.index, bytes: l.bytes}
	s.apply(changes)
	return nil
}

// Load brings into memory what fits of the versions that answer, with the facts that rules see if there are rules.
// What cannot be loaded, the vector database answers, as ever. It is for a program that asks much at once.
func (s *Store) Load(ctx context.Context, rules bool) {
	if rules {
		s.wantFacts()
	}
	for s.Step(ctx) && ctx.Err() == nil {
	}
}

// rouse wakes Run while something is to be loaded.
func (s *Store) rouse() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake already
	}
}

// Run takes steps until ctx ends, from the first answer of the database on.
func (s *Store) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		for s.Step(ctx) && ctx.Err() == nil {
		}
	}
}
