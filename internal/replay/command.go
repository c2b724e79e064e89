package replay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"kindred/internal/awsclient"
	"kindred/internal/envconfig"
	"kindred/internal/objectstore"
	"kindred/internal/plantedshop"
	"kindred/internal/program"
	"kindred/internal/shop"
	"kindred/internal/shopdb"
	"kindred/internal/shopper"
	"kindred/internal/simulation"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// Description is the first line of the command's help.
const Description = "Play simulated shoppers into the activity stream, bad records among them."

// Sessions that are open at the same time. A batch carries at most one record of each, so a high rate needs many.
const (
	leastActive = 20
	mostActive  = 500
)

// mostRate is far above what all shards of any stream take, and keeps sums with it within an integer.
const mostRate = 1e9

// likedStars is what a rating must have for its product to draw a visitor of an imported shop.
const likedStars = 4

// Command is the command line.
type Command struct {
	envconfig.MySQL  `embed:""`
	envconfig.Lake   `embed:""`
	envconfig.Stream `embed:""`
	Events           int     `default:"2000" help:"Events to send."`
	Poison           int     `default:"0" help:"Bad records to send among them."`
	Rate             float64 `default:"200" help:"Events a second; 0 is as fast as the stream takes them."`
	Seed             uint64  `default:"1" help:"Another number gives other shoppers."`
	RunID            string  `name:"run" help:"Part of every id, so that two replays have different ones. Default: the time."`
}

// Run sends the events and reports.
func (c *Command) Run(ctx context.Context, out *program.Output) error {
	if err := c.check(); err != nil {
		return err
	}
	g, err := c.crowd(ctx, out)
	if err != nil {
		return err
	}
	cfg, err := awsclient.Load(ctx)
	if err != nil {
		return err
	}
	bar, done := out.Bar(), 0
	defer bar.Close()
	plan := Plan{Events: c.Events, Poison: c.Poison, Rate: c.Rate, Seed: c.Seed, Run: c.RunID}
	r, err := Play(ctx, kinesis.NewFromConfig(cfg), c.Name, plan, g, func(records int) {
		done += records
		bar.Show("shoppers click", int64(done), int64(c.Events+c.Poison))
	})
	if err != nil {
		return err
	}
	bar.Close()
	const shape = "Sent %d events of %d sessions and %d bad records in %.1f s (%.0f events/s; %d records were sent again after a refusal)."
	sentence := fmt.Sprintf(shape,
		r.EventsSent, r.Sessions, r.PoisonSent, r.Seconds, r.EventsPerSecond, r.PutRetries)
	return out.Result(sentence, r)
}

// check reports every problem of flags and variables at once, and fills what has none.
func (c *Command) check() error {
	var problems []error
	for _, bad := range []struct {
		is      bool
		problem string
	}{
		{c.Name == "", "ACTIVITY_STREAM is not set (run `make local-up` and source its environment file)"},
		{c.Events < 0 || c.Poison < 0 || c.Events+c.Poison == 0, "--events and --poison must not be negative, nor both 0"},
		{!(c.Rate >= 0 && c.Rate <= mostRate), fmt.Sprintf("--rate must be from 0 to %g", mostRate)},
	} {
		if bad.is {
			problems = append(problems, errors.New(bad.problem))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: %w", program.ErrConfig, errors.Join(problems...))
	}
	if c.RunID == "" {
		c.RunID = strconv.FormatInt(time.Now().UnixNano(), 36)
	}
	return nil
}

// crowd makes the shoppers of the shop in the database: with planted tastes when the lake says how it was generated.
func (c *Command) crowd(ctx context.Context, out *program.Output) (*shopper.Crowd, error) {
	db, err := shopdb.Open(ctx, c.DSN)
	if errors.Is(err, shopdb.ErrDSN) {
		return nil, fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	products, err := db.Products(ctx)
	if err != nil {
		return nil, err
	}
	cfg := shopper.Config{Seed: c.Seed, Run: c.RunID, Active: mostActive}
	if c.Rate > 0 {
		cfg.Active = min(max(int(c.Rate/2), leastActive), mostActive)
	}
	planted, err := c.planted(ctx, products)
	if err != nil {
		return nil, err
	}
	if planted != nil {
		out.Log.DebugContext(ctx, "shoppers follow planted tastes")
		return shopper.New(cfg, products, shopper.NewPlanted(planted))
	}
	customers, err := db.Customers(ctx)
	if err != nil {
		return nil, err
	}
	liked, err := db.Liked(ctx, likedStars)
	if err != nil {
		return nil, err
	}
	out.Log.DebugContext(ctx, "shoppers follow co-rated products", "ratings_count", len(liked))
	return shopper.New(cfg, products, shopper.NewLikes(customers, products, liked))
}

// planted makes the generated shop again, or returns nil when the database holds another one.
func (c *Command) planted(ctx context.Context, products []shop.Product) (*simulation.Shop, error) {
	if c.Bucket == "" {
		return nil, nil
	}
	lake, err := objectstore.Open(ctx, c.Bucket)
	if errors.Is(err, objectstore.ErrLocation) {
		return nil, fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	if err != nil {
		return nil, err
	}
	record, err := plantedshop.Read(ctx, lake)
	if err != nil {
		return nil, err
	}
	return plantedshop.Shop(record, products)
}
