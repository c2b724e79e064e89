// Package publish takes a trained model version live: it migrates the vector database, loads the
// version beside the others, lets the gate's verdict decide, moves the live pointer and drops what
// is old. It owns the order of these steps, the command line and the sentences for people; it knows
// neither SQL nor S3.
package publish

import (
	"context"
	"fmt"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/vectorstore"
)

// KeepVersions is how many versions stay loaded: the live one, the one to go back to, and one that
// was refused or comes next. Disk for three costs little; a fourth is never asked for.
const KeepVersions = 3

// store is where versions go live. Its errors are those of package vectorstore.
type store interface {
	Migrate(ctx context.Context) error
	Versions(ctx context.Context) ([]vectorstore.Version, error)
	Load(ctx context.Context, v *modelversion.Version) ([]vectorstore.Step, error)
	Promote(ctx context.Context, version string, opts vectorstore.PromoteOptions) error
	StartCanary(ctx context.Context, version string, share float64, opts vectorstore.PromoteOptions) error
	Prune(ctx context.Context, keep int) ([]string, error)
}

// artifacts is where trained versions are kept.
type artifacts interface {
	// Current names the newest version without reading it.
	Current(ctx context.Context) (id string, err error)
	// Read returns a version, its hashes verified.
	Read(ctx context.Context, id string) (*modelversion.Version, error)
}

// Result is what a run achieved.
type Result struct {
	ModelVersion string               `json:"model_version"`
	Promoted     bool                 `json:"promoted"`
	NoOp         bool                 `json:"-"` // it was live already
	Verdict      modelversion.Verdict `json:"verdict"`
	Items        int                  `json:"items"`
	Customers    int                  `json:"customers"`
	Dropped      []string             `json:"dropped"` // old versions whose tables were dropped
	Steps        []vectorstore.Step   `json:"steps"`   // of the load; empty when the version was there
	Seconds      float64              `json:"seconds"`
}

// Unchanged reports whether the run was a no-op.
func (r Result) Unchanged() bool { return r.NoOp }

// Run takes the version live, or the newest one when version is empty. A version that is live
// already is left alone, and one that is loaded already is not read again. Errors:
// vectorstore.ErrRefused with the version loaded and the pointer where it was.
func Run(ctx context.Context, s store, from artifacts, version string,
	opts vectorstore.PromoteOptions) (Result, error) {
	start := time.Now()
	loaded, steps, err := prepare(ctx, s, from, version)
	if err != nil {
		return Result{}, err
	}
	result := Result{Steps: steps, ModelVersion: loaded.ID, NoOp: loaded.Live, Verdict: loaded.Report.Verdict,
		Items: loaded.Items, Customers: loaded.Customers, Dropped: []string{}}
	if !loaded.Live {
		if err := s.Promote(ctx, loaded.ID, opts); err != nil {
			return Result{}, err
		}
		result.Promoted = true
		dropped, err := s.Prune(ctx, KeepVersions)
		if err != nil {
			return Result{}, fmt.Errorf("version %s is live, but old ones are left over: %w", loaded.ID, err)
		}
		result.Dropped = append(result.Dropped, dropped...)
	}
	result.Seconds = time.Since(start).Seconds()
	return result, nil
}

// CanaryResult is what became of a canary.
type CanaryResult struct {
	ModelVersion string  `json:"model_version"`
	Share        float64 `json:"share"` // of the sessions; 0: none any longer
}

// Canary lets the version, or the newest one when it is empty, answer for a share of the sessions
// beside the live version; it is loaded first when it is not. Errors: as Run, and
// vectorstore.ErrNoLiveVersion.
func Canary(ctx context.Context, s store, from artifacts, version string, share float64,
	opts vectorstore.PromoteOptions) (CanaryResult, error) {
	loaded, _, err := prepare(ctx, s, from, version)
	if err != nil {
		return CanaryResult{}, err
	}
	if err := s.StartCanary(ctx, loaded.ID, share, opts); err != nil {
		return CanaryResult{}, err
	}
	return CanaryResult{ModelVersion: loaded.ID, Share: share}, nil
}

// prepare migrates the database and makes sure that the version, or the newest one when it is
// empty, is loaded.
func prepare(ctx context.Context, s store, from artifacts,
	version string) (loaded vectorstore.Version, steps []vectorstore.Step, err error) {
	if err := s.Migrate(ctx); err != nil {
		return loaded, nil, err
	}
	if version == "" {
		if version, err = from.Current(ctx); err != nil {
			return loaded, nil, fmt.Errorf("find the newest model version: %w", err)
		}
	}
	steps = []vectorstore.Step{}
	if loaded, err = find(ctx, s, version); err != nil || loaded.State == vectorstore.StateReady {
		return loaded, steps, err
	}
	start := time.Now()
	v, err := from.Read(ctx, version)
	if err != nil {
		return loaded, nil, fmt.Errorf("read model version %s: %w", version, err)
	}
	steps = append(steps, vectorstore.Step{Name: "read", Seconds: time.Since(start).Seconds()})
	did, err := s.Load(ctx, v)
	if err != nil {
		return loaded, nil, err
	}
	loaded, err = find(ctx, s, version)
	return loaded, append(steps, did...), err
}

// find returns the version's row of the registry, or a zero one.
func find(ctx context.Context, s store, version string) (vectorstore.Version, error) {
	versions, err := s.Versions(ctx)
	if err != nil {
		return vectorstore.Version{}, err
	}
	for _, v := range versions {
		if v.ID == version {
			return v, nil
		}
	}
	return vectorstore.Version{}, nil
}
