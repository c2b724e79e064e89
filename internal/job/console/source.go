package console

import (
	"context"
	"errors"
	"fmt"

	"kindred/internal/job/console/feed"
	"kindred/internal/job/publish"
	"kindred/internal/job/rollup"
	"kindred/internal/job/verify"
	"kindred/internal/job/verify/redrive"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/erased"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/kinesisclient"
	"kindred/internal/platform/program"
	"kindred/internal/platform/retry"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/shardreader"
	"kindred/internal/stream/shardwriter"
)

// sources is what the pages are read from. A part that is not configured is nil.
type sources struct {
	db      *vectorstore.Store
	damages *damages // of the versions of db
	// recommender answers as serve does, without keeping the products in memory
	recommender *recommend.Recommender
	lake        objectstore.Store
	sets        *commit.Repository // training sets
	feedback    *commit.Repository
	artifacts   *commit.Repository
	models      publish.Models // of artifacts
	records     objectstore.Store
	stream      *shardreader.Reader
	rolled      *rollup.Reader // nil: there is no lake, or no records
	feed        *feed.Feed
	kinesis     func() *shardwriter.Writer // nil: there is no stream
	profiles    *profiles
	audit       verify.Command  // without its window
	redrive     redrive.Command // which counts, unless DryRun is false

	places map[station]string // where each part is, without a password
}

// open makes the sources. It makes no request. An error is program.ErrConfig.
func (c *Sources) open(ctx context.Context) (*sources, error) {
	if c.Window <= 0 {
		return nil, fmt.Errorf("%w: --window is %v, want more than 0", program.ErrConfig, c.Window)
	}
	s, err := c.openAll(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	return s, nil
}

func (c *Sources) openAll(ctx context.Context) (_ *sources, err error) {
	s := &sources{places: map[station]string{
		stationShop: c.MySQL.Place(), stationLake: c.Lake.Place(), stationModel: c.Artifacts.Place(),
		stationDatabase: c.PGVector.Place(), stationStream: c.Stream.Place(), stationRecords: c.Recommendations.Place()}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if c.DSN != "" {
		if s.db, err = vectorstore.OpenAs(ctx, c.PGVector, awsclient.Environment); err != nil {
			return nil, err
		}
		s.recommender, s.damages = recommend.New(onlooker{s.db}), newDamages(s.db)
	}
	if c.Lake.Bucket != "" {
		if s.lake, err = objectstore.OpenSetting(ctx, "LAKE_BUCKET", c.Lake.Bucket); err != nil {
			return nil, err
		}
		s.sets = commit.NewRepository(s.lake, envconfig.TrainingSetPrefix)
		s.feedback = commit.NewRepository(s.lake, envconfig.FeedbackPrefix)
	}
	if c.Artifacts.Bucket != "" {
		store, err := objectstore.OpenSetting(ctx, "ARTIFACTS_BUCKET", c.Artifacts.Bucket)
		if err != nil {
			return nil, err
		}
		s.artifacts, s.models = commit.NewRepository(store, envconfig.ModelPrefix), publish.NewModels(store)
	}
	if c.Recommendations.Bucket != "" {
		if s.records, err = objectstore.OpenSetting(ctx, "RECOMMENDATIONS_BUCKET", c.Recommendations.Bucket); err != nil {
			return nil, err
		}
	}
	if c.Name != "" {
		cfg, err := awsclient.Load(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the stream: %w", err)
		}
		client := kinesisclient.New(cfg)
		s.stream = shardreader.New(client, c.Name)
		s.kinesis = func() *shardwriter.Writer { return shardwriter.New(client, c.Name, retry.Sleep) }
	}
	if s.lake != nil && s.records != nil {
		s.rolled = rollup.NewReader(s.records, s.lake)
	}
	s.feed, s.profiles = newFeed(s, c), newProfiles(s.sets)
	list := erased.Setting{Lake: c.Lake, Erasure: c.Erasure}
	s.audit = verify.Command{Stream: c.Stream, Recommendations: c.Recommendations, PGVector: c.PGVector, Erased: list,
		Artifacts: c.Artifacts, Shop: c.Shop, Shared: c.Shared, MaxUnknown: auditUnknown, Wait: auditWait}
	s.redrive = redrive.Command{Stream: c.Stream, Recommendations: c.Recommendations, Shop: c.Shop, Shared: c.Shared,
		Erased: list, DryRun: true}
	if s.db == nil && s.sets == nil && s.artifacts == nil && s.records == nil && s.stream == nil {
		return nil, errors.New("nothing is configured: set PGVECTOR_DSN, LAKE_BUCKET, ARTIFACTS_BUCKET, ACTIVITY_STREAM or " +
			"RECOMMENDATIONS_BUCKET; `make console` takes them from the local stack")
	}
	return s, nil
}

// newFeed hands over what is there: an interface with a nil pointer in it is not nil.
func newFeed(s *sources, c *Sources) *feed.Feed {
	var stream feed.Stream
	if s.stream != nil {
		stream = s.stream
	}
	var store feed.Store
	if s.records != nil {
		store = s.records
	}
	var rolled feed.Rolled
	if s.rolled != nil {
		rolled = s.rolled
	}
	return feed.New(stream, store, rolled, c.Window)
}

// ancestry is a run and those that were current before it, the newest first: at most so many, and as far as the
// bucket's rules have kept them.
func ancestry(ctx context.Context, repo *commit.Repository, m commit.Manifest, most int) (all []commit.Manifest,
	err error) {
	seen := map[string]bool{}
	for len(all) < most && !seen[m.Run] {
		seen[m.Run] = true
		if all = append(all, m); m.Parent == "" {
			break
		}
		if m, err = repo.Manifest(ctx, m.Parent); errors.Is(err, objectstore.ErrNotFound) {
			break
		} else if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s *sources) close() {
	if s.db != nil {
		s.damages.close()
		s.db.Close()
	}
}

// onlooker is a store that a look at an answer leaves as it is: no visitor is drawn into an arm, and no canary
// fails.
type onlooker struct{ *vectorstore.Store }

// KeepArms keeps nothing.
func (onlooker) KeepArms(_ context.Context, _ string, arms map[string]recommend.Arm) (map[string]recommend.Arm, error) {
	return arms, nil
}

// CanaryFailed records nothing.
func (onlooker) CanaryFailed(context.Context, string, error) error { return nil }
