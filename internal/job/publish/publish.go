// Package publish takes a trained model version live. It migrates the vector database, loads the
// version, lets the gate's verdict decide, moves the live pointer, and drops old versions. Between the
// nights, it writes the shop's catalogue there. It owns the order of these steps, the command line, and
// the sentences for people. It knows neither SQL nor S3.
package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/vectorstore"
)

// KeepVersions is how many versions stay loaded: the live one, the one to go back to, and one that was
// refused or is next. Nobody asks for a fourth.
const KeepVersions = 3

// store is where versions go live. Its errors are those of package vectorstore.
type store interface {
	Migrate(ctx context.Context) error
	Versions(ctx context.Context) ([]vectorstore.Version, error)
	// Damage says what is wrong with a loaded version; Load replaces a damaged one.
	Damage(ctx context.Context, v vectorstore.Version) ([]string, error)
	Load(ctx context.Context, v *modelversion.Version) ([]vectorstore.Step, error)
	// ShowViews makes the views of the live version again if they are gone.
	ShowViews(ctx context.Context) error
	// CheckVersion asks a version what serving will ask, as the serving role.
	CheckVersion(ctx context.Context, version string) error
	Promote(ctx context.Context, version string, opts vectorstore.PromoteOptions) error
	StartCanary(ctx context.Context, version string, share float64, opts vectorstore.PromoteOptions) error
	Prune(ctx context.Context, keep int) ([]string, error)
	// PruneState deletes what events said and no longer counts.
	PruneState(ctx context.Context) error
}

// artifacts is where trained versions are kept.
type artifacts interface {
	// Current returns the newest version's id and verdict, without reading the rest.
	Current(ctx context.Context) (id string, verdict modelversion.Verdict, err error)
	// Read returns a version, its hashes verified.
	Read(ctx context.Context, id string) (*modelversion.Version, error)
}

// Result is what a run achieved.
type Result struct {
	ModelVersion string               `json:"model_version"`
	Promoted     bool                 `json:"promoted"`
	NoOp         bool                 `json:"-"`        // it was live and undamaged
	Repaired     []string             `json:"repaired"` // what was wrong with a loaded version, which was loaded again
	Verdict      modelversion.Verdict `json:"verdict"`
	Items        int                  `json:"items"`
	Customers    int                  `json:"customers"`
	Dropped      []string             `json:"dropped"` // old versions whose tables were dropped
	Steps        []vectorstore.Step   `json:"steps"`   // of the load; empty when the version was there
	Seconds      float64              `json:"seconds"`
}

// Unchanged reports whether the run was a no-op.
func (r Result) Unchanged() bool { return r.NoOp }

// Run takes the version live, or the newest one when version is empty. A version that is loaded is
// not read again, unless it is damaged. A version that is live stays live, if it answers. Errors:
// vectorstore.ErrRefused and vectorstore.ErrCannotAnswer, with the version loaded and the pointer
// where it was. In any of these cases, what events said and no longer counts is deleted.
func Run(ctx context.Context, s store, from artifacts, version string,
	opts vectorstore.PromoteOptions) (Result, error) {
	result, err := goLive(ctx, s, from, version, opts)
	if err != nil && !errors.Is(err, vectorstore.ErrRefused) && !errors.Is(err, vectorstore.ErrCannotAnswer) {
		return result, err
	}
	return result, errors.Join(err, s.PruneState(ctx))
}

// goLive is Run without the deleting.
func goLive(ctx context.Context, s store, from artifacts, version string,
	opts vectorstore.PromoteOptions) (Result, error) {
	start := time.Now()
	loaded, done, err := prepare(ctx, s, from, version, opts)
	if err != nil {
		return Result{}, err
	}
	result := Result{Steps: done.steps, Repaired: done.repaired, ModelVersion: loaded.ID,
		NoOp: loaded.Live && len(done.repaired) == 0, Verdict: loaded.Report.Verdict,
		Items: loaded.Items, Customers: loaded.Customers, Dropped: []string{}}
	if loaded.Live {
		if err := s.ShowViews(ctx); err != nil {
			return Result{}, err
		}
		if err := s.CheckVersion(ctx, loaded.ID); err != nil {
			return Result{}, err
		}
	} else {
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
	Share        float64 `json:"share"` // of the sessions; 0: it has ended
}

// Canary lets the version, or the newest one when it is empty, answer for a share of the sessions. It
// is loaded first when it is not loaded. Errors: as Run, and vectorstore.ErrNoLiveVersion.
func Canary(ctx context.Context, s store, from artifacts, version string, share float64,
	opts vectorstore.PromoteOptions) (CanaryResult, error) {
	loaded, _, err := prepare(ctx, s, from, version, opts)
	if err != nil {
		return CanaryResult{}, err
	}
	if err := s.StartCanary(ctx, loaded.ID, share, opts); err != nil {
		return CanaryResult{}, err
	}
	return CanaryResult{ModelVersion: loaded.ID, Share: share}, nil
}

// work is what preparing did.
type work struct {
	steps    []vectorstore.Step // of a load; empty when the version was there
	repaired []string           // what was wrong with what was there
}

// prepare migrates the database and makes sure that the version, or the newest one when it is
// empty, is loaded and undamaged. A version of another shop than the live one's is not loaded.
func prepare(ctx context.Context, s store, from artifacts, version string, opts vectorstore.PromoteOptions) (
	loaded vectorstore.Version, did work, err error) {
	did = work{steps: []vectorstore.Step{}, repaired: []string{}}
	if err := s.Migrate(ctx); err != nil {
		return loaded, did, err
	}
	if version == "" {
		if version, err = newest(ctx, s, from, opts); err != nil {
			return loaded, did, err
		}
	}
	loaded, live, err := find(ctx, s, version)
	if err != nil {
		return loaded, did, err
	}
	faults, err := s.Damage(ctx, loaded)
	if err != nil || loaded.State == vectorstore.StateReady && len(faults) == 0 {
		return loaded, did, err
	}
	start := time.Now()
	v, err := from.Read(ctx, version)
	if err != nil {
		if len(faults) > 0 {
			err = fmt.Errorf("%w; in the database it is damaged: %s", err, strings.Join(faults, "; "))
		}
		return loaded, did, fmt.Errorf("read model version %s: %w", version, err)
	}
	did.steps = append(did.steps, vectorstore.Step{Name: "read", Seconds: time.Since(start).Seconds()})
	if envconfig.OtherShop(live.Shop, v.Shop) && !opts.ReplaceShop {
		return loaded, did, vectorstore.ErrOther(live.Shop, v.Shop)
	}
	loading, err := s.Load(ctx, v)
	if err != nil {
		return loaded, did, err
	}
	did.steps, did.repaired = append(did.steps, loading...), append(did.repaired, faults...)
	loaded, _, err = find(ctx, s, version)
	return loaded, did, err
}

// newest is the version that publish takes by default. Where a model is live whose place popularity
// may not take, it is the model that popularity answers instead of: the gate judges that one.
func newest(ctx context.Context, s store, from artifacts, opts vectorstore.PromoteOptions) (string, error) {
	version, verdict, err := from.Current(ctx)
	if err != nil {
		return "", fmt.Errorf("find the newest model version: %w", err)
	}
	if !verdict.Popularity || verdict.InsteadOf == "" {
		return version, nil
	}
	_, live, err := find(ctx, s, version)
	if err != nil {
		return "", err
	}
	if _, ok := verdict.MayReplace(&live.Report.Verdict); !ok && live.Live && !opts.ReplaceShop {
		return verdict.InsteadOf, nil
	}
	return version, nil
}

// find returns the version's row of the registry and the live version's, or zero ones.
func find(ctx context.Context, s store, version string) (found, live vectorstore.Version, err error) {
	versions, err := s.Versions(ctx)
	if err != nil {
		return found, live, err
	}
	for _, v := range versions {
		if v.ID == version {
			found = v
		}
		if v.Live {
			live = v
		}
	}
	return found, live, nil
}
