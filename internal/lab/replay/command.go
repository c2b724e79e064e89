package replay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"

	"kindred/internal/lab/plantedshop"
	"kindred/internal/lab/shadow"
	"kindred/internal/lab/simulation"
	"kindred/internal/lab/trial"
	"kindred/internal/lab/visitor"
	"kindred/internal/lake/erased"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/kinesisclient"
	"kindred/internal/platform/logkey"
	"kindred/internal/platform/program"
	"kindred/internal/platform/retry"
	"kindred/internal/shop"
	"kindred/internal/shop/shopdb"
	"kindred/internal/stream/shardwriter"
)

// Description is the first line of the command's help.
const Description = "Send clicks to the activity stream: those of simulated visitors, or recorded ones."

// Sessions that are open at the same time. A batch carries at most one record of each, so a high
// rate needs many.
const (
	leastActive = 20
	mostActive  = 500
)

// mostRate is far above what all shards of any stream take, and keeps sums with it within an integer.
const mostRate = 1e9

// likedStars is what a rating must have for its product to draw a visitor of an imported shop.
const likedStars = 4

// mostWanted bounds how many interactions of an imported shop guide its visitors.
const mostWanted = 500_000

// Command is the command line.
type Command struct {
	Run     RunCommand     `cmd:"" default:"withargs" help:"Send the clicks of simulated visitors (the default command)."`
	File    FileCommand    `cmd:"" help:"Send recorded events, or the events of recommendation records, in the order of the file."`
	Compare trial.Command  `cmd:"" help:"Let the same simulated visitors use four recommenders in turn: kindred, kindred without the session, popularity and the true tastes. Compare the hit rates."`
	Shadow  shadow.Command `cmd:"" help:"Answer recorded events by two model versions, without showing either to anybody. Compare the answers."`
}

// RunCommand is `replay`.
type RunCommand struct {
	MySQL           envconfig.MySQL           `embed:""`
	Lake            envconfig.Lake            `embed:"" set:"lake_use=replay reads planted/shop.json there, which holds the tastes of a generated shop"`
	Stream          envconfig.Stream          `embed:""`
	Recommendations envconfig.Recommendations `embed:""`
	PGVector        envconfig.PGVector        `embed:"" set:"pgvector_use=optional; with it, replay warns if events name products that the live version does not know"`
	Events          int                       `default:"2000" help:"Number of events to send."`
	Poison          int                       `default:"0" help:"Number of unreadable records to send between the events."`
	Rate            float64                   `default:"200" help:"Events per second. 0 sends as fast as the stream accepts them."`
	Seed            uint64                    `default:"1" help:"Seed of the random numbers. Another seed gives other visitors."`
	Shop            string                    `placeholder:"NAME" help:"Shop that the events name in their field shop. Default: the events name no shop."`
	RunID           string                    `name:"run" placeholder:"ID" help:"Text that becomes part of every id, so that two replays have different ids. Default: the current time."`
	React           bool                      `help:"Visitors wait for the recommendations that are delivered to S3, and react to them. Needs --recommendations."`
	Patience        time.Duration             `default:"10s" help:"With --react: how long a visitor waits for a recommendation. Firehose on AWS buffers for a minute, so use 2m there."`
	Save            string                    `placeholder:"FILE" help:"File to which the events are also written. The command \"replay file FILE\" sends them again."`
}

// FileCommand is `replay file`.
type FileCommand struct {
	Stream   envconfig.Stream   `embed:""`
	Erased   erased.Setting     `embed:""`
	PGVector envconfig.PGVector `embed:"" set:"pgvector_use=optional; with it, replay warns if events name products that the live version does not know"`
	Files    []string           `arg:"" type:"existingfile" help:"Files with one JSON object per line, gzipped or not."`
	Rate     float64            `default:"200" help:"Events per second. 0 sends as fast as the stream accepts them."`
}

// Run sends the events and reports.
func (c *RunCommand) Run(ctx context.Context, out *program.Output) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	g, err := c.crowd(ctx, out)
	if err != nil {
		return err
	}
	plan := Plan{Events: c.Events, Poison: c.Poison, Rate: c.Rate, Seed: c.Seed, Run: c.RunID}
	if c.React {
		if plan.Delivered, err = objectstore.OpenSetting(ctx, "RECOMMENDATIONS_BUCKET",
			c.Recommendations.Bucket); err != nil {
			return err
		}
	}
	if c.Save != "" {
		file, failed := os.Create(c.Save)
		if failed != nil {
			return fmt.Errorf("%w: %w", program.ErrConfig, failed)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		plan.Save = file
	}
	return play(ctx, out, c.Stream.Name, plan, g)
}

// Run sends the files and reports.
func (c *FileCommand) Run(ctx context.Context, out *program.Output) error {
	if problems := append(streamProblems(c.Stream.Name), rateProblems(c.Rate)...); len(problems) > 0 {
		return fmt.Errorf("%w: %w", program.ErrConfig, errors.Join(problems...))
	}
	if err := checkFiles(c.Files); errors.Is(err, ErrNoEvents) {
		return fmt.Errorf("%w: %w; want files of one JSON event per line", program.ErrConfig, err)
	} else if err != nil {
		return err
	}
	products, err := productsOf(c.Files)
	if err != nil {
		return err
	}
	warn(ctx, out, c.PGVector, products)
	list, err := c.Erased.Read(ctx)
	if err != nil {
		return err
	}
	g := newRecorded(c.Files, list)
	defer g.stop()
	return play(ctx, out, c.Stream.Name, Plan{Events: math.MaxInt, Rate: c.Rate}, g)
}

// play sends a plan with a bar, and prints the closing line.
func play(ctx context.Context, out *program.Output, stream string, plan Plan, g crowd) error {
	cfg, err := awsclient.Load(ctx)
	if err != nil {
		return err
	}
	bar, done, total := out.Bar(), int64(0), int64(plan.Events+plan.Poison)
	if plan.Events == math.MaxInt {
		total = 0 // a file's length is not known
	}
	defer bar.Close()
	writer := shardwriter.New(kinesisclient.New(cfg), stream, retry.Sleep)
	r, err := Play(ctx, writer, plan, g, func(records int) {
		done += int64(records)
		bar.Show("clicks", done, max(total, done))
	})
	bar.Close()
	if err != nil {
		return err
	}
	if files, ok := g.(*recorded); ok { // a line may hold several events, or none
		r.EventsSent, r.NoEvents, r.Erased = files.events, files.noEvents, files.leftOut
	}
	return out.Result(r.sentence(plan.Delivered != nil), r)
}

func (r Result) sentence(react bool) string {
	const shape = "Sent %d events of %d sessions and %d bad records in %.1f s (%.0f events/s; %d records were sent " +
		"again after a refusal)."
	s := fmt.Sprintf(shape, r.EventsSent, r.Sessions, r.PoisonSent, r.Seconds, r.EventsPerSecond, r.PutRetries)
	if r.NoEvents > 0 {
		s += fmt.Sprintf("\n%d more lines hold no event and were sent as they are; the function quarantines them.",
			r.NoEvents)
	}
	if r.Erased > 0 {
		s += fmt.Sprintf("\n%d events of persons who were erased were left out.", r.Erased)
	}
	if react {
		s += fmt.Sprintf("\nVisitors saw recommendations on %d pages and looked at a recommended product after %d of them "+
			"(%.1f %%).", r.Shown, r.Hits,
			100*float64(r.Hits)/float64(max(r.Shown, 1)))
	}
	return s
}

func streamProblems(name string) []error {
	if name == "" {
		return []error{envconfig.NotSetError{Variable: "ACTIVITY_STREAM"}}
	}
	return nil
}

func rateProblems(rate float64) []error {
	if !(rate >= 0 && rate <= mostRate) {
		return []error{fmt.Errorf("--rate must be from 0 to %g", mostRate)}
	}
	return nil
}

// check reports every problem of flags and variables at once, and fills what has none.
func (c *RunCommand) check() error {
	problems := append(streamProblems(c.Stream.Name), rateProblems(c.Rate)...)
	if c.Events < 0 || c.Poison < 0 || c.Events+c.Poison == 0 {
		problems = append(problems, errors.New("--events and --poison must not be negative, nor both 0"))
	}
	if err := (envconfig.Shop{Name: c.Shop}).Check(); err != nil {
		problems = append(problems, fmt.Errorf("--shop: %w", err))
	}
	if c.React && (c.Recommendations.Bucket == "" || c.Patience <= 0) {
		problems = append(problems, errors.New("--react needs RECOMMENDATIONS_BUCKET and a --patience above 0"))
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: %w", program.ErrConfig, errors.Join(problems...))
	}
	if c.RunID == "" {
		c.RunID = strconv.FormatInt(time.Now().UnixNano(), 36)
	}
	return nil
}

// crowd makes the visitors of the shop in the database: with planted tastes when the lake says how
// it was generated.
func (c *RunCommand) crowd(ctx context.Context, out *program.Output) (*visitor.Crowd, error) {
	db, err := shopdb.Open(ctx, c.MySQL.DSN)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	history, err := db.HasHistory(ctx)
	if err != nil {
		return nil, err
	}
	read := db.Products
	if history {
		read = db.Listed
	}
	products, err := read(ctx)
	if err != nil {
		return nil, err
	}
	codes := make([]string, len(products))
	for i, p := range products {
		codes[i] = p.Code
	}
	warn(ctx, out, c.PGVector, codes)
	cfg := visitor.Config{Seed: c.Seed, Shop: c.Shop, Run: c.RunID, Active: mostActive}
	if c.Rate > 0 {
		cfg.Active = min(max(int(c.Rate/2), leastActive), mostActive)
	}
	if c.React {
		cfg.Patience = c.Patience
		cfg.Active = mostActive // most of them wait
	}
	if history {
		customers, wanted, err := db.Wanted(ctx, likedStars, mostWanted)
		if err != nil {
			return nil, err
		}
		return visitor.New(cfg, products, visitor.NewLikes(customers, products, wanted))
	}
	planted, err := c.planted(ctx, products)
	if err != nil {
		return nil, err
	}
	if planted != nil {
		out.Log.DebugContext(ctx, "visitors follow planted tastes")
		return visitor.New(cfg, products, visitor.NewPlanted(planted))
	}
	customers, err := db.Customers(ctx)
	if err != nil {
		return nil, err
	}
	liked, err := db.Liked(ctx, likedStars)
	if err != nil {
		return nil, err
	}
	out.Log.DebugContext(ctx, "visitors follow co-rated products", logkey.Ratings, len(liked))
	return visitor.New(cfg, products, visitor.NewLikes(customers, products, liked))
}

// planted makes the generated shop again, or returns nil when the database holds another one.
func (c *RunCommand) planted(ctx context.Context, products []shop.Product) (*simulation.Shop, error) {
	if c.Lake.Bucket == "" {
		return nil, nil
	}
	lake, err := objectstore.OpenSetting(ctx, "LAKE_BUCKET", c.Lake.Bucket)
	if err != nil {
		return nil, err
	}
	record, err := plantedshop.Read(ctx, lake)
	if err != nil {
		return nil, err
	}
	return plantedshop.Shop(record, products)
}
