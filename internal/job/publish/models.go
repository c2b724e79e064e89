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

// models reads model versions under the commit protocol.
type models struct{ repo *commit.Repository }

// openModels finds the versions of the artifacts.
func openModels(ctx context.Context, cfg envconfig.Artifacts) (models, error) {
	store, err := objectstore.OpenSetting(ctx, "ARTIFACTS_BUCKET", cfg.Bucket)
	if err != nil {
		return models{}, err
	}
	return models{repo: commit.NewRepository(store, envconfig.ModelPrefix)}, nil
}

// Current returns the newest version's id and verdict.
func (m models) Current(ctx context.Context) (string, modelversion.Verdict, error) {
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
func (m models) Read(ctx context.Context, id string) (*modelversion.Version, error) {
	return modelfile.Read(ctx, m.repo, id, "")
}
