// Package publish takes a trained model version live: it migrates the vector database, loads the version beside the others, lets the gate's
// verdict decide, moves the live pointer and drops what is old. It owns the order of these steps, the command line and the
// sentences for people; it knows neither SQL nor S3.
package publish

import (
	"context"
	"fmt"
	"time"

	"kindred/internal/modelversion"
	"kindred/internal/vectorstore"
)

// KeepVersions is how many versions stay loaded: the live one, the one to go back to, and one that was refused or comes next. Disk for
// three costs little; a fourth is never asked for.
const KeepVersions = 3

// store is where versions go live. Its errors are those of package vectorstore.
type store interface {
	Migrate(ctx context.Context) error
	Versions(ctx context.Context) ([]vectorstore.Version, error)
	Load(ctx context.Context, v *modelversion.Version) error
	Promote(ctx context.Context, version string, opts vectorstore.PromoteOptions) error
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
	NoOp         bool                 `json:"no_op"` // it was live already
	Verdict      modelversion.Verdict `json:"verdict"`
	Items        int                  `json:"items"`
	Customers    int                  `json:"customers"`
	Dropped      []string             `json:"dropped"` // old versions whose tables were dropped
	Seconds      float64              `json:"seconds"`
}

// Run takes the version live, or the newest one when version is empty. A version that is live already is left alone, and one that
// is loaded already is not read again. Errors: vectorstore.ErrRefused with the version loaded and the pointer where it was.
func Run(ctx context.Context, s store, from artifacts, version string, opts vectorstore.PromoteOptions) (Result, error) {
	start := time.Now()
	if err := s.Migrate(ctx); err != nil {
		return Result{}, err
	}
	if version == "" {
		var err error
		if version, err = from.Current(ctx); err != nil {
			return Result{}, fmt.Errorf("find the newest model version: %w", err)
		}
	}
	loaded, err := find(ctx, s, version)
	if err != nil {
		return Result{}, err
	}
	if loaded.State != vectorstore.StateReady {
		v, err := from.Read(ctx, version)
		if err != nil {
			return Result{}, fmt.Errorf("read model version %s: %w", version, err)
		}
		if err := s.Load(ctx, v); err != nil {
			return Result{}, err
		}
		if loaded, err = find(ctx, s, version); err != nil {
			return Result{}, err
		}
	}
	result := Result{ModelVersion: version, NoOp: loaded.Live, Verdict: loaded.Report.Verdict,
		Items: loaded.Items, Customers: loaded.Customers, Dropped: []string{}}
	if !loaded.Live {
		if err := s.Promote(ctx, version, opts); err != nil {
			return Result{}, err
		}
		result.Promoted = true
		dropped, err := s.Prune(ctx, KeepVersions)
		if err != nil {
			return Result{}, fmt.Errorf("version %s is live, but old ones are left over: %w", version, err)
		}
		result.Dropped = append(result.Dropped, dropped...)
	}
	result.Seconds = time.Since(start).Seconds()
	return result, nil
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
