package verify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"kindred/internal/lake/objectstore"
)

// IDs compares a caller's list of recommendation ids with the answers over HTTP that were delivered.
type IDs struct {
	Listed         int64 `json:"listed"`          // different ids in the list
	Delivered      int64 `json:"delivered"`       // different ids of answers over HTTP in the window
	Missing        int64 `json:"missing"`         // listed and not delivered
	Unlisted       int64 `json:"unlisted"`        // delivered and not listed
	ListedTwice    int64 `json:"listed_twice"`    // different ids that the list has more than once
	DeliveredTwice int64 `json:"delivered_twice"` // different ids of several lines: readers drop all but one
}

// idFact says where an id was found.
type idFact struct {
	id   hash
	from idSource
}

type idSource uint8

const (
	listedID idSource = iota
	deliveredID
)

// recommendationID is what an id looks like; see activity.RecommendationID.
var recommendationID = regexp.MustCompile(`^rec-[0-9a-f]{32}$`)

// eachListedID visits the ids of a file, one a line. Empty lines, and the null of an answer without an id, are
// passed over.
func eachListedID(name string, visit func(id string) error) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // opened for reading
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		id := strings.Trim(strings.TrimSpace(lines.Text()), `"`)
		if id == "" || id == "null" {
			continue
		}
		if !recommendationID.MatchString(id) {
			return fmt.Errorf("line %d of %s is no id of a recommendation (rec- and 32 digits), but %.50q: write one id a line",
				number, name, id)
		}
		if err := visit(id); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// listIDs keeps the ids of the caller's list.
func (a *Audit) listIDs(name string) error {
	return eachListedID(name, func(id string) error { return a.addID(idFact{hashOf(id), listedID}, "") })
}

// addID keeps where an id was found. Without a list, it keeps nothing.
func (a *Audit) addID(f idFact, _ string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ids == nil {
		return nil
	}
	return a.ids.add(f.id[0], f)
}

// judgeIDs compares list and deliveries, in buckets.
func (a *Audit) judgeIDs(r *Report) error {
	if a.ids == nil {
		return nil
	}
	r.IDs = &IDs{}
	r.missingIDs, r.unlistedIDs = map[hash]string{}, map[hash]string{}
	return eachBucket(a.ids, func(facts []idFact) error {
		counts := map[hash]*[2]int64{}
		for _, f := range facts {
			if counts[f.id] == nil {
				counts[f.id] = &[2]int64{}
			}
			counts[f.id][f.from]++
		}
		for id, n := range counts {
			r.IDs.add(n[listedID], n[deliveredID])
			if n[deliveredID] == 0 && len(r.missingIDs) < maxFindings {
				r.missingIDs[id] = kindMissingID
			}
			if n[listedID] == 0 && len(r.unlistedIDs) < maxFindings {
				r.unlistedIDs[id] = kindUnlistedID
			}
		}
		return nil
	})
}

// add counts an id that the list has so often, and that was delivered so often.
func (i *IDs) add(listed, delivered int64) {
	for _, c := range []struct {
		count *int64
		is    bool
	}{
		{&i.Listed, listed > 0}, {&i.Delivered, delivered > 0}, {&i.Missing, delivered == 0}, {&i.Unlisted, listed == 0},
		{&i.ListedTwice, listed > 1}, {&i.DeliveredTwice, delivered > 1},
	} {
		if c.is {
			*c.count++
		}
	}
}

// idFindings names examples of missing and unlisted ids: it reads the list and the outputs again.
func (a *Audit) idFindings(ctx context.Context, r Report, list string) (found []Finding, err error) {
	enough := errors.New("enough examples")
	take := func(wanted map[hash]string, id hash, where string) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		kind, ok := wanted[id]
		if !ok {
			return nil
		}
		found = append(found, Finding{Kind: kind, Where: where})
		if delete(wanted, id); len(wanted) == 0 {
			return enough
		}
		return nil
	}
	if len(r.missingIDs) > 0 {
		err := eachListedID(list, func(id string) error { return take(r.missingIDs, hashOf(id), id) })
		if err != nil && !errors.Is(err, enough) {
			return nil, err
		}
	}
	if len(r.unlistedIDs) > 0 {
		to := a.silent()
		to.id = func(f idFact, where string) error { return take(r.unlistedIDs, f.id, where) }
		err := a.eachOutput(ctx, func(objectstore.Info) bool { return true }, to)
		if err != nil && !errors.Is(err, enough) {
			return nil, err
		}
	}
	return found, nil
}

// silent reads outputs and takes no note of anything.
func (a *Audit) silent() outputs {
	return outputs{audit: a, malformed: func(string) error { return nil }, strange: func(string) {},
		id: func(idFact, string) error { return nil }, fact: func(fact, string) error { return nil }}
}
