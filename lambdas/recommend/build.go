package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"kindred/internal/platform/awsenv"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/s3object"
	"kindred/internal/serving/inmemory"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
	"kindred/internal/stream/delivery"

	"github.com/caarlos0/env/v11"
)

// config is the function's configuration; every variable without a default is required.
type config struct {
	PGVector        envconfig.PGVector
	Shop            envconfig.OnlyShop
	Stream          envconfig.SharedStream
	Delivery        envconfig.Delivery
	Recommendations envconfig.Recommendations
	Memory          envconfig.Memory
	Explore         envconfig.Explore
	// HeadRoom is how long before the time limit of a call the work ends, so that the answer gets out.
	// Default 1 s.
	HeadRoom time.Duration `env:"HEAD_ROOM" envDefault:"1s"`
	// Name is the function's own, which Lambda sets: the dimension of its metrics.
	Name string `env:"AWS_LAMBDA_FUNCTION_NAME" envDefault:"recommend"`
}

// build reads the environment and makes the handler with its clients, none of which makes a request yet.
func build(ctx context.Context, log *slog.Logger, metrics io.Writer) (h *handler, err error) {
	cfg, err := env.ParseAsWithOptions[config](env.Options{RequiredIfNoDef: true})
	if err != nil {
		return nil, fmt.Errorf("read environment: %w", err)
	}
	shops, err := activity.NewShops(cfg.Shop.Name, cfg.Stream.Shops)
	if err := errors.Join(err, cfg.Explore.Check()); err != nil {
		return nil, fmt.Errorf("read environment: %w", err)
	}
	aws, err := awsenv.Load(os.Getenv)
	if err != nil {
		return nil, fmt.Errorf("read environment: %w", err)
	}
	bucket, err := s3object.New(aws, cfg.Recommendations.Bucket)
	if err != nil {
		return nil, err
	}
	firehose, err := delivery.New(aws, cfg.Delivery.Stream, delivery.Config{})
	if err != nil {
		return nil, err
	}
	store, err := vectorstore.Open(ctx, cfg.PGVector)
	if err != nil {
		return nil, err
	}
	store.OnlyShop(shops.Own())
	memory, err := inmemory.Open(store, cfg.Memory, log)
	if err != nil {
		return nil, fmt.Errorf("read environment: %w", err)
	}
	recommender, load := recommend.New(store), func(context.Context) {}
	if memory != nil {
		recommender, load = recommend.New(memory), func(ctx context.Context) { memory.Step(ctx) }
	}
	h = &handler{
		shops:       shops,
		recommender: recommender.Exploring(cfg.Explore.Share),
		load:        load,
		state:       store,
		counter:     store,
		connect:     store.Connect,
		delivery:    firehose,
		quarantine:  deadletter.NewQuarantine(bucket),
		log:         log, metrics: metrics, headRoom: cfg.HeadRoom, now: time.Now, name: cfg.Name,
	}
	return h, nil
}
