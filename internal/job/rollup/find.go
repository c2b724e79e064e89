package rollup

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"kindred/internal/lake/linefile"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/rollup"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
	"kindred/internal/stream/delivery"
)

// firstPart is how much of an object is read at the place of a line: most lines are shorter.
const firstPart = 64 << 10

// Found is an event in an object.
type Found struct {
	Key    string
	Line   []byte             // of a delivered object, without its newline; nil: a dead letter
	Letter *deadletter.Letter // nil: a delivered object
}

// Find returns the objects that hold an event, by its id or by that of its recommendation, as of the current roll-up;
// delivered ones come first. What is gone from the bucket is left out. It reads the places that the index names, and
// compares the id. Where an object was written again since, it reads all of it. commit.ErrNoCurrent before the first
// roll-up.
func (r *Reader) Find(ctx context.Context, id string) (found []Found, asOf time.Time, err error) {
	_, d, err := rollup.Current(ctx, r.repo)
	if err != nil {
		return nil, asOf, err
	}
	places, err := rollup.Find(ctx, r.repo, d, id)
	if err != nil {
		return nil, asOf, err
	}
	var letters []Found
	seen := map[string]bool{}
	for _, p := range places {
		if seen[p.Key] {
			continue // the event and its recommendation, or several placements, have one line or neighbours
		}
		f, ok, err := look(ctx, r.records, p, id)
		if errors.Is(err, objectstore.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, asOf, err
		}
		if !ok {
			continue
		}
		seen[p.Key] = true
		if f.Letter != nil {
			letters = append(letters, f)
		} else {
			found = append(found, f)
		}
	}
	return append(found, letters...), d.AsOf, nil
}

// look reads a place. ok is false where another id is, which has the same hash.
func look(ctx context.Context, records objectstore.Store, p rollup.Place, id string) (f Found, ok bool, err error) {
	f.Key = p.Key
	if _, delivered := delivery.Hour(p.Key); !delivered {
		data, _, err := objectstore.ReadAll(ctx, records, p.Key)
		if err != nil {
			return f, false, err
		}
		letter, err := deadletter.Read(p.Key, data)
		f.Letter = &letter
		return f, err == nil && slices.Contains(letter.EventIDs(), id), nil
	}
	part, err := records.GetRange(ctx, p.Key, p.Offset, firstPart)
	if err != nil {
		return f, false, err
	}
	if line, _, whole := bytes.Cut(part, []byte("\n")); whole && is(line, id) {
		f.Line = line
		return f, true, nil
	}
	body, _, err := records.Get(ctx, p.Key)
	if err != nil {
		return f, false, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	for line, err := range linefile.Lines(body) {
		if err != nil {
			return f, false, err
		}
		if is(line, id) {
			f.Line = bytes.Clone(line)
			return f, true, nil
		}
	}
	return f, false, nil
}

// is says whether a line is that of an id.
func is(line []byte, id string) bool {
	if !bytes.Contains(line, []byte(id)) && !bytes.Contains(line, []byte(`\`)) {
		return false // quickly: only a text with escapes can be the id in another form
	}
	r, err := activity.ParseRecommendation(bytes.TrimSpace(line))
	return err == nil && (r.EventID == id || r.ID == id)
}
