package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"

	"kindred/internal/lab/plantedshop"
	"kindred/internal/lab/visitor"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/shop"
)

// ErrNoTruth says that the shop was not generated, so nobody knows what its customers want.
var ErrNoTruth = errors.New("only a generated shop has planted tastes to compare with")

// Command is the command line.
type Command struct {
	Lake      envconfig.Lake      `embed:"" set:"lake_use=the training set, and planted/shop.json with the tastes of a generated shop"`
	Artifacts envconfig.Artifacts `embed:""`
	Sessions  int                 `default:"4000" help:"Number of sessions. Each recommender gets the same sessions."`
	Seed      uint64              `default:"1" help:"Seed of the random numbers. Another seed gives other visitors."`
	Versions  []string            `arg:"" optional:"" help:"Model versions to compare. The first version is also measured without the session. Default: the current one."`
	Deliver   string              `placeholder:"BUCKET" help:"Bucket or folder to which kindred's recommendation records are also written, in the form that feedback reads."`
	Threads   int                 `default:"0" help:"Number of processors to use. 0 uses all. The figures do not depend on it."`
}

// Run compares and prints the table.
func (c *Command) Run(ctx context.Context, out *program.Output) error {
	if c.Sessions < 1 {
		return fmt.Errorf("%w: --sessions is %d, want 1 or more", program.ErrConfig, c.Sessions)
	}
	artifacts, err := objectstore.OpenSetting(ctx, "ARTIFACTS_BUCKET", c.Artifacts.Bucket)
	if err != nil {
		return err
	}
	lake, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", c.Lake.Bucket)
	if err != nil {
		return err
	}
	models := commit.NewRepository(artifacts, envconfig.ModelPrefix)
	if len(c.Versions) == 0 {
		c.Versions = []string{""}
	}
	t := Trial{Sessions: c.Sessions, Threads: c.Threads}
	if t.Threads < 1 {
		t.Threads = runtime.GOMAXPROCS(0)
	}
	for _, id := range c.Versions {
		v, err := modelfile.Read(ctx, models, id, "")
		if err != nil {
			return fmt.Errorf("read model version: %w", err)
		}
		t.Versions = append(t.Versions, v)
	}
	if t.Crowd, err = crowd(ctx, lake, t.Versions, c.Seed); err != nil {
		return err
	}
	bar := out.Bar()
	defer bar.Close()
	t.Progress = func(done, total int64) { bar.Show("visitors shop", done, total) }
	var delivered bytes.Buffer
	if c.Deliver != "" {
		t.Deliver = func(lines []byte) error {
			_, err := delivered.Write(lines)
			return err
		}
	}
	result, err := t.Run(ctx)
	bar.Close()
	if err != nil {
		return err
	}
	if c.Deliver != "" {
		if err := deliver(ctx, c.Deliver, c.Seed, delivered.Bytes()); err != nil {
			return err
		}
	}
	result.Seed = c.Seed
	return out.Result(result.Table(), result)
}

// crowd makes the visitors of the generated shop that the versions were trained on. Who bought a
// product in an earlier trial, as a version knows by feedback, does not come for it again.
func crowd(ctx context.Context, lake objectstore.Store, versions []*modelversion.Version,
	seed uint64) (*visitor.Crowd, error) {
	record, err := plantedshop.Read(ctx, lake)
	if err != nil {
		return nil, err
	}
	var products []shop.Product
	for _, it := range versions[0].Items {
		products = append(products, shop.Product{Code: it.Code, Name: it.Name})
	}
	planted, err := plantedshop.Shop(record, products)
	if err != nil {
		return nil, err
	}
	if planted == nil {
		return nil, fmt.Errorf("compare on the shop of %s: %w", lake, ErrNoTruth)
	}
	tastes := visitor.NewPlanted(planted)
	for _, v := range versions {
		for _, c := range v.Customers {
			tastes.Own(c.ID, c.Rated)
		}
	}
	return visitor.New(visitor.Config{Seed: seed}, planted.Products(), tastes)
}

// deliver writes the records as one object, which a second run of the same seed writes again.
func deliver(ctx context.Context, location string, seed uint64, records []byte) error {
	store, err := objectstore.OpenSetting(ctx, "--deliver", location)
	if err != nil {
		return err
	}
	key := fmt.Sprintf("%scompare-%d.json", envconfig.RecommendationPrefix, seed)
	_, err = store.Put(ctx, key, bytes.NewReader(records), int64(len(records)), objectstore.Condition{})
	return err
}
