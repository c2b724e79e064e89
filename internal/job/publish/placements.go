package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/checksum"
	"kindred/internal/serving/placement"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
)

// placementsPrefix begins the keys of placements in the lake.
const placementsPrefix = "placements/"

// placementsKey is where a version of the placements lies in the lake: the file as the shop wrote it.
func placementsKey(version string) string { return placementsPrefix + version + "/placements.yaml" }

// PlacementsResult is what publishing placements did.
type PlacementsResult struct {
	Version    string   `json:"version"`
	Placements []string `json:"placements"`
	NoOp       bool     `json:"no_op"` // they were live already
}

// placementsStore is where placements go live.
type placementsStore interface {
	Migrate(ctx context.Context) error
	PublishPlacements(ctx context.Context, version string, rules []byte, opts vectorstore.PromoteOptions) (bool, error)
}

// PublishPlacements reads a file of placements, keeps it in the lake under a hash of its bytes, and makes it live.
// The file is not changed, and a version in the lake never is. An error about the file begins with its name and
// the line; nothing was written then.
func PublishPlacements(ctx context.Context, s placementsStore, lake objectstore.Store, name string, data []byte,
	opts vectorstore.PromoteOptions) (r PlacementsResult, err error) {
	read, rules, err := readPlacements(name, data)
	if err != nil {
		return r, err
	}
	r.Version, r.Placements = read.Version, read.Names()
	if err := keepPlacements(ctx, lake, r.Version, data); err != nil {
		return r, err
	}
	if err := s.Migrate(ctx); err != nil {
		return r, err
	}
	changed, err := s.PublishPlacements(ctx, r.Version, rules, opts)
	r.NoOp = !changed
	return r, err
}

// keepPlacements keeps a file in the lake, under its version.
func keepPlacements(ctx context.Context, lake objectstore.Store, version string, data []byte) error {
	_, err := lake.Put(ctx, placementsKey(version), bytes.NewReader(data), int64(len(data)),
		objectstore.Condition{IfNoneMatch: true})
	if errors.Is(err, objectstore.ErrPrecondition) {
		var kept []byte
		if kept, _, err = objectstore.ReadAll(ctx, lake, placementsKey(version)); err == nil && !bytes.Equal(kept, data) {
			err = fmt.Errorf("%s in %s was changed: delete it and publish again", placementsKey(version), lake)
		}
	}
	if err != nil {
		return fmt.Errorf("keep placements %s: %w", version, err)
	}
	return nil
}

// ComparePlacements reads a file of placements, keeps it in the lake as PublishPlacements does, and compares it with
// the live one: x is the experiment without its arms. Errors: those of vectorstore.StartPlacementsExperiment.
func ComparePlacements(ctx context.Context, s Database, lake objectstore.Store, name string, data []byte,
	x vectorstore.Experiment, opts vectorstore.PromoteOptions) (vectorstore.Experiment, error) {
	read, rules, err := readPlacements(name, data)
	if err != nil {
		return x, err
	}
	if err := keepPlacements(ctx, lake, read.Version, data); err != nil {
		return x, err
	}
	if err := s.Migrate(ctx); err != nil {
		return x, err
	}
	x.Treatment = read.Version
	return s.StartPlacementsExperiment(ctx, x, rules, opts)
}

// readPlacements checks a file. rules are what it says, as functions read it.
func readPlacements(name string, data []byte) (read *recommend.Placements, rules []byte, err error) {
	byName, err := placement.Parse(data)
	if err != nil {
		return nil, nil, &fileError{name, err}
	}
	const digits = 15
	rules = recommend.EncodePlacements(byName)
	return recommend.ReadPlacements("p"+checksum.Bytes(data)[:digits], rules), rules, nil
}

// fileError is what is wrong with a file: a line each.
type fileError struct {
	name string
	err  error
}

// Error names the file in each line.
func (e *fileError) Error() string {
	lines := bytes.Split([]byte(e.err.Error()), []byte("\n"))
	return e.name + ": " + string(bytes.Join(lines, []byte("\n"+e.name+": ")))
}

// Unwrap is what is wrong.
func (e *fileError) Unwrap() error { return e.err }
