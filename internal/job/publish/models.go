package publish

import (
	"context"
	"errors"
	"fmt"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
)

// Models are the model versions of the artifacts, under the commit protocol.
type Models struct{ repo *commit.Repository }

// OpenModels finds the versions of the artifacts.
func OpenModels(ctx context.Context, cfg envconfig.Artifacts) (Models, error) {
	store, err := objectstore.OpenSetting(ctx, "ARTIFACTS_BUCKET", cfg.Bucket)
	if err != nil {
		return Models{}, err
	}
	return NewModels(store), nil
}

// NewModels are the versions in a store of artifacts. It makes no request.
func NewModels(store objectstore.Store) Models {
	return Models{repo: commit.NewRepository(store, envconfig.ModelPrefix)}
}

// Current returns the newest version's id and verdict.
func (m Models) Current(ctx context.Context) (string, modelversion.Verdict, error) {
	manifest, err := m.repo.Current(ctx)
	if errors.Is(err, commit.ErrNoCurrent) {
		return "", modelversion.Verdict{}, fmt.Errorf("%w: train a model first", err)
	}
	if err != nil {
		return "", modelversion.Verdict{}, err
	}
	v, _, _, err := modelfile.ReadSummary(ctx, m.repo, manifest.Run, "")
	if err != nil {
		return "", modelversion.Verdict{}, err
	}
	return v.ID, v.Report.Verdict, nil
}

// Read returns a version, its hashes verified.
func (m Models) Read(ctx context.Context, id string) (*modelversion.Version, error) {
	return modelfile.Read(ctx, m.repo, id, "")
}

// Summary returns a version without its vectors, or the newest one when id is empty. It reads a few kilobytes.
func (m Models) Summary(ctx context.Context, id string) (*modelversion.Version, error) {
	v, _, _, err := modelfile.ReadSummary(ctx, m.repo, id, "")
	return v, err
}
