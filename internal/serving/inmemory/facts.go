package inmemory

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"kindred/internal/platform/logkey"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/scan"
	"kindred/internal/serving/vectorstore"
)

// factPage is how many products' facts a step reads. Nobody learns of newer state meanwhile.
const factPage = 2000

// filled is how much of a version's facts is in memory.
type filled struct {
	facts *scan.Facts
	after string // the id of the last product that was read
	whole bool
}

// ruled says whether a question has rules.
func ruled(searches []recommend.Search, neighbours []recommend.Neighbours) bool {
	return slices.ContainsFunc(searches, func(q recommend.Search) bool { return q.Rules != nil }) ||
		slices.ContainsFunc(neighbours, func(q recommend.Neighbours) bool { return q.Rules != nil })
}

// parted lets the database answer the questions with rules, and the memory the others at the same time.
func (s *Store) parted(ctx context.Context, h *held, m *recommend.Model, searches []recommend.Search,
	neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	asked, own := part(searches, func(q recommend.Search) bool { return q.Rules != nil })
	askedNear, ownNear := part(neighbours, func(q recommend.Neighbours) bool { return q.Rules != nil })
	candidates, similar := make([][]recommend.Candidate, len(searches)), make([][]recommend.Similar, len(neighbours))
	work, workCtx := errgroup.WithContext(ctx)
	fill := func(at, near []int, retrieve func([]recommend.Search, []recommend.Neighbours) ([][]recommend.Candidate,
		[][]recommend.Similar, error)) {
		if len(at)+len(near) == 0 {
			return
		}
		work.Go(func() error {
			found, alike, err := retrieve(pick(searches, at), pick(neighbours, near))
			for n, list := range found {
				candidates[at[n]] = list
			}
			for n, list := range alike {
				similar[near[n]] = list
			}
			return err
		})
	}
	fill(asked, askedNear, func(searches []recommend.Search, neighbours []recommend.Neighbours) ([][]recommend.Candidate,
		[][]recommend.Similar, error) {
		return s.database.Retrieve(workCtx, m, searches, neighbours)
	})
	fill(own, ownNear, func(searches []recommend.Search, neighbours []recommend.Neighbours) ([][]recommend.Candidate,
		[][]recommend.Similar, error) {
		return s.retrieve(workCtx, h, m, searches, neighbours)
	})
	if err := work.Wait(); err != nil {
		return nil, nil, err
	}
	return candidates, similar, nil
}

// part parts the places of those that belong from the places of the others.
func part[T any](all []T, belongs func(T) bool) (those, others []int) {
	for i, one := range all {
		if belongs(one) {
			those = append(those, i)
		} else {
			others = append(others, i)
		}
	}
	return those, others
}

func pick[T any](all []T, at []int) []T {
	picked := make([]T, len(at))
	for n, i := range at {
		picked[n] = all[i]
	}
	return picked
}

// wantFacts asks Step to bring the facts of products into memory: the first question with rules does.
func (s *Store) wantFacts() {
	s.mu.Lock()
	s.rules = true
	s.mu.Unlock()
	s.rouse()
}

// Ruled lists the versions whose products' facts are in memory, sorted.
func (s *Store) Ruled() (versions []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, version := range slices.Sorted(maps.Keys(s.held)) {
		if s.held[version].filled.whole {
			versions = append(versions, version)
		}
	}
	return versions
}

// factless is a version in memory whose facts are wanted and not there, with what all versions take; "": none.
// The caller holds the lock.
func (s *Store) factless() (version string, used int64) {
	for _, v := range slices.Sorted(maps.Keys(s.held)) {
		h := s.held[v]
		used += h.bytes + h.fresh.Bytes() + h.filled.facts.Bytes()
		if s.rules && version == "" && !h.filled.whole && !s.factsRefused {
			version = v
		}
	}
	return version, used
}

// dropFacts makes room for a version that answers: the facts are read anew when it is there.
func (s *Store) dropFacts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for version, h := range s.held {
		bare := *h
		bare.filled = filled{}
		s.held[version] = &bare
	}
}

// stepFacts reads some facts of a version; more says that there are more to read.
func (s *Store) stepFacts(ctx context.Context) (more bool) {
	s.reading.Lock() // the changes that others read come after the page
	defer s.reading.Unlock()
	s.mu.Lock()
	version, _ := s.factless()
	if version == "" {
		s.mu.Unlock()
		return false
	}
	h := s.held[version]
	now := *h
	s.mu.Unlock()
	if now.filled.facts == nil {
		now.filled = filled{facts: scan.NewFacts(h.index, h.shown)}
	}
	page, err := s.database.Stated(ctx, version, now.filled.after, factPage)
	if err == nil {
		setFacts(&now, page)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.loader.pause = s.loader.now().Add(s.loader.pauses.Next())
		s.loader.log.LogAttrs(ctx, slog.LevelWarn, "the facts of products are not in memory: the vector database "+
			"answers questions with rules", slog.String(logkey.Error, err.Error()))
		return false
	}
	if s.held[version] != h { // another version came meanwhile
		return true
	}
	if len(page) > 0 {
		now.filled.after = page[len(page)-1].ID
	}
	now.filled.whole = len(page) < factPage
	s.held[version] = &now
	if _, used := s.factless(); used > s.loader.budget {
		now.filled, s.factsRefused = filled{}, true
		s.loader.log.LogAttrs(ctx, slog.LevelInfo, "the vector database answers questions with rules",
			slog.String(logkey.ModelVersion, version), slog.String(logkey.Error, fmt.Sprintf(
				"%v: with the facts of the products, the versions need %d MB, and may take %d MB (MEMORY_SHARE)", errUnfit,
				used>>20, s.loader.budget>>20)))
	}
	return true
}

// setFacts notes what is known of products now.
func setFacts(h *held, facts []vectorstore.Stated) {
	for _, f := range facts {
		can, known := h.index.Stock(f.ID)
		if !known {
			continue
		}
		if f.Shown != nil {
			can = *f.Shown
		}
		f.Available = can
		h.filled.facts.Set(f.Product)
	}
}
