// Stream measures the function recommend at the Lambda Runtime API, in its own process and as it is
// deployed: how many events it answers in a second compared with an empty function and a bare pgx
// loop that sends the same queries; what remains when the database answers from memory; how soon it
// starts; how large it is; what it allocates. It works in a database of its own, which it drops.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"time"

	"kindred/benchmarks/results"
	"kindred/integration/lambdaruntime"
	"kindred/internal/platform/artifact"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
	"kindred/internal/serving/vectorstore/vectorstoretest"
	"kindred/internal/stream/activity/activitytest"

	"github.com/aws/aws-lambda-go/events"
)

func main() {
	os.Exit(program.Main("bench-stream", "Measure how λ recommend answers the activity stream.", &command{},
		os.Args[1:], os.Stdout, os.Stderr))
}

type command struct {
	envconfig.PGVector
	Items     int  `default:"800" help:"Number of products. The default is that of the generated shop."`
	Dim       int  `default:"64" help:"Components of a vector."`
	Catalogue bool `help:"Write the state of all products, as publish catalogue does. Each search then looks up this state."`
	Batch     int  `default:"500" help:"Events in a batch. The default is the batch size of the event source mapping."`
	Distinct  int  `default:"20" help:"Number of different batches."`
	Rounds    int  `default:"9" help:"Number of rounds. In each round, every subject runs every batch once."`
	Starts    int  `default:"41" help:"How often each function is started."`

	RoundTrip time.Duration `default:"2ms" help:"How far the database is away in one row of the first answers."`

	Large       []string `default:"41000x64" help:"Larger catalogues, PRODUCTSxCOMPONENTS, for which answers from memory are compared with answers from the database. Building an index takes minutes: 41000x64,41000x128,100000x64,100000x128 takes half an hour. With none, this part is skipped."`
	LargeRounds int      `default:"3" help:"Number of rounds for each larger catalogue. A round has 5 batches."`

	State string `default:".kindred" placeholder:"FOLDER" env:"KINDRED_STATE" help:"State folder. The programs and results.json are written to its folder bench/stream."`
}

const (
	timeLimit = time.Minute
	version   = "m000000000000001"
	schema    = "model_" + version
	// oneShard is how many records a second one Kinesis shard takes.
	oneShard = 1000
	// warmRounds come before the measured ones.
	warmRounds = 3
)

// The subjects.
const (
	empty   = "empty function"
	loopRow = "bare pgx loop"
	// The same loop with the queries of 2026-11-29.
	frozenRow = "bare pgx loop of 2026-11-29"
	kindred   = "kindred"
	inMemory  = "kindred, in memory"
	stubbed   = "kindred, database stubbed"
	// Its database is a round trip away.
	farAway = "kindred, database away"
	// In databases of their own, as the others know no state.
	writing    = "kindred, each event buys"
	continuing = "kindred, each event continues its session"
)

// row is what was measured of a subject.
type row struct {
	Subject         string    `json:"subject"`
	EventsPerSecond []float64 `json:"events_per_second"` // by round
	BatchMS         []float64 `json:"-"`
	P50MS           float64   `json:"batch_p50_ms"`
	P99MS           float64   `json:"batch_p99_ms"`
	Best            float64   `json:"best_events_per_second"`
	Median          float64   `json:"median_events_per_second"`
}

// folder holds what the benchmark builds and writes.
func (c *command) folder() string { return filepath.Join(c.State, "bench", "stream") }

// Run measures and prints.
func (c *command) Run(ctx context.Context, out *program.Output) (err error) {
	if c.DSN == "" {
		return fmt.Errorf("%w: PGVECTOR_DSN is not set", program.ErrConfig)
	}
	if err := os.MkdirAll(c.folder(), 0o755); err != nil {
		return fmt.Errorf("make folder of results: %w", err)
	}
	functions, zips, err := c.build(ctx)
	if err != nil {
		return err
	}
	var dsns [3]string
	var shop activitytest.Shop
	for i := range dsns {
		dsn, drop, err := vectorstoretest.Database(ctx, c.DSN)
		if err != nil {
			return err
		}
		defer func() {
			if e := drop(); err == nil {
				err = e
			}
		}()
		if shop, err = c.fill(ctx, dsn); err != nil {
			return err
		}
		dsns[i] = dsn
	}
	rows, err := c.throughput(ctx, out.Stdout, dsns, shop, functions)
	if err != nil {
		return err
	}
	answers, err := c.firstAnswers(ctx, dsns[0], shop, functions[kindred])
	if err != nil {
		return err
	}
	large, err := c.large(ctx, out.Stdout, functions)
	if err != nil {
		return err
	}
	starts, err := c.starts(ctx, functions)
	if err != nil {
		return err
	}
	allocations, err := allocations(ctx)
	if err != nil {
		return err
	}
	return c.report(out.Stdout, rows, large, starts, answers, zips, allocations)
}

// build compiles the functions for this machine, as they are deployed, and tells the sizes of the
// zips for AWS.
func (c *command) build(ctx context.Context) (functions map[string]string, zips map[string]int, err error) {
	functions, zips = map[string]string{}, map[string]int{}
	for name, program := range map[string]string{
		kindred: "./lambdas/recommend", "serve": "./lambdas/serve", empty: "./benchmarks/stream/empty",
		"hello, world": "./benchmarks/stream/hello",
	} {
		data, err := artifact.Compile(ctx, ".", program, "linux", "arm64")
		if err != nil {
			return nil, nil, err
		}
		zip, err := artifact.Pack(data, nil)
		if err != nil {
			return nil, nil, err
		}
		zips[name] = len(zip)
		if data, err = artifact.Compile(ctx, ".", program, runtime.GOOS, runtime.GOARCH); err != nil {
			return nil, nil, err
		}
		functions[name] = filepath.Join(c.folder(), filepath.Base(program))
		if err := os.WriteFile(functions[name], data, 0o755); err != nil {
			return nil, nil, err
		}
	}
	return functions, zips, nil
}

// fill makes a version of the wanted size live.
func (c *command) fill(ctx context.Context, dsn string) (shop activitytest.Shop, err error) {
	store, err := vectorstore.Open(ctx, envconfig.PGVector{DSN: dsn})
	if err != nil {
		return shop, err
	}
	defer store.Close()
	if err := migration.Up(ctx, store); err != nil {
		return shop, err
	}
	v := vectorstoretest.Version(version, 1,
		vectorstoretest.Shape{Items: c.Items, Customers: 2000, RatedEach: 20, Dim: c.Dim})
	if _, err := store.Load(ctx, v); err != nil {
		return shop, err
	}
	if err := c.keep(ctx, v); err != nil {
		return shop, err
	}
	for _, item := range v.Items {
		shop.Products = append(shop.Products, item.Code)
	}
	for _, customer := range v.Customers {
		shop.Customers = append(shop.Customers, customer.ID)
	}
	if c.Catalogue {
		read := vectorstore.Catalogue{ReadAt: time.Now(), Products: make([]vectorstore.Product, len(v.Items))}
		for i, item := range v.Items {
			stock := int64(item.QuantityInStock)
			read.Products[i] = vectorstore.Product{ID: item.Code, Name: item.Name, Available: stock > 0, Stock: &stock}
		}
		if _, err := store.WriteCatalogue(ctx, read, vectorstore.CatalogueOptions{MaxShrink: 1}); err != nil {
			return shop, err
		}
	}
	return shop, store.Promote(ctx, v.ID, vectorstore.PromoteOptions{Actor: "bench"})
}

// throughput runs every subject on every batch, by turns, round by round.
func (c *command) throughput(ctx context.Context, out io.Writer, dsns [3]string, shop activitytest.Shop,
	functions map[string]string) ([]*row, error) {
	dsn := dsns[0]
	relay, err := newRelay(ctx, dsn)
	if err != nil {
		return nil, err
	}
	defer func() { _ = relay.listener.Close() }() // ends with the process
	taker := newFirehose()
	defer taker.Close()
	artifacts := c.artifacts()
	defer artifacts.Close()
	held, commands := &watched{}, map[string]*exec.Cmd{}
	for subject, way := range map[string]struct{ function, dsn string }{empty: {empty, dsn}, kindred: {kindred, dsn},
		inMemory: {kindred, dsn}, stubbed: {kindred, relay.dsn()}, writing: {kindred, dsns[1]},
		continuing: {kindred, dsns[2]}} {
		commands[subject] = newCommand(ctx, functions[way.function], way.dsn, taker.URL)
	}
	holding(commands[inMemory], artifacts.URL, held)
	processes, stop, err := start(ctx, commands)
	if err != nil {
		return nil, err
	}
	defer stop()
	asked := make([][]question, c.Distinct)
	batches, err := c.batches(shop, c.Distinct)
	if err != nil {
		return nil, err
	}
	fresh, err := c.fresh(shop)
	if err != nil {
		return nil, err
	}
	// Warm: prepare statements, let the relay learn all answers on both connections, note the queries.
	for range warmRounds {
		for i, batch := range batches {
			for _, subject := range []string{empty, kindred, inMemory, stubbed} {
				if err := invoke(processes[subject], batch); err != nil {
					return nil, fmt.Errorf("%s: %w", subject, err)
				}
			}
			asked[i] = relay.take()
			for subject := range fresh {
				if err := invoke(processes[subject], take(fresh, subject)); err != nil {
					return nil, fmt.Errorf("%s: %w", subject, err)
				}
			}
		}
	}
	if err := held.wait(func() error { return invoke(processes[inMemory], batches[0]) }); err != nil {
		return nil, err
	}
	loops, err := newLoops(ctx, dsn, asked)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, l := range loops {
			l.close(ctx)
		}
	}()
	relay.answerFromMemory(true)
	rows, err := c.rounds(out, len(batches), func(subject string, i int) error {
		if l := loops[subject]; l != nil {
			return l.run(ctx, i)
		}
		batch := batches[i]
		if fresh[subject] != nil {
			batch = take(fresh, subject)
		}
		return c.delivered(taker, subject, func() error { return invoke(processes[subject], batch) })
	})
	if left := relay.take(); err == nil && len(left) > 0 {
		return nil, fmt.Errorf("the stubbed database did not know %d questions", len(left))
	}
	return rows, err
}

// fresh makes the batches of the subjects that write: no event of these comes twice, so that each writes a
// row.
func (c *command) fresh(shop activitytest.Shop) (map[string][][]byte, error) {
	buys, continues, n := shop, shop, (c.Rounds+warmRounds)*c.Distinct
	buys.Purchases, continues.Continues = true, true
	bought, err := c.batches(buys, n)
	if err != nil {
		return nil, err
	}
	continued, err := c.batches(continues, n)
	return map[string][][]byte{writing: bought, continuing: continued}, err
}

// take takes the subject's next batch.
func take(fresh map[string][][]byte, subject string) []byte {
	batch := fresh[subject][0]
	fresh[subject] = fresh[subject][1:]
	return batch
}

// delivered answers a batch, and checks that all of it was delivered. An answer may be lost and its records
// sent again, so more is no fault.
func (c *command) delivered(taker *firehose, subject string, answer func() error) error {
	before := taker.taken.Load()
	if err := answer(); err != nil {
		return err
	}
	if n := int(taker.taken.Load() - before); subject != empty && n < c.Batch {
		return fmt.Errorf("it delivered %d of %d events", n, c.Batch)
	}
	return nil
}

// batches makes n batches that differ.
func (c *command) batches(shop activitytest.Shop, n int) (all [][]byte, err error) {
	all = make([][]byte, n)
	for i := range all {
		if all[i], err = json.Marshal(shop.Batch(i*c.Batch, c.Batch)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// rounds gives every subject every batch, as often as there are rounds. The subjects take turns from
// batch to batch, so that what slows the machine for a second slows them all, and each comes at each
// place.
func (c *command) rounds(out io.Writer, batches int, answer func(subject string, batch int) error) ([]*row, error) {
	rows := []*row{{Subject: empty}, {Subject: loopRow}, {Subject: frozenRow}, {Subject: kindred}, {Subject: inMemory},
		{Subject: stubbed}, {Subject: writing}, {Subject: continuing}}
	return rows, c.turns(out, rows, c.Rounds, batches, answer)
}

// turns is rounds of some subjects.
func (c *command) turns(out io.Writer, rows []*row, rounds, batches int,
	answer func(subject string, batch int) error) error {
	for round := range rounds {
		took := make([]time.Duration, len(rows))
		for i := range batches {
			for n := range rows {
				n = (n + i + round) % len(rows)
				r, start := rows[n], time.Now()
				if err := answer(r.Subject, i); err != nil {
					return fmt.Errorf("%s: %w", r.Subject, err)
				}
				elapsed := time.Since(start)
				took[n] += elapsed
				r.BatchMS = append(r.BatchMS, milliseconds(elapsed))
			}
		}
		for n, r := range rows {
			r.EventsPerSecond = append(r.EventsPerSecond, float64(c.Batch*batches)/took[n].Seconds())
		}
		printf(out, "round %d of %d\n", round+1, rounds)
	}
	for _, r := range rows {
		slices.Sort(r.BatchMS)
		r.P50MS, r.P99MS = quantile(r.BatchMS, 0.5), quantile(r.BatchMS, 0.99)
		sorted := slices.Sorted(slices.Values(r.EventsPerSecond))
		r.Best, r.Median = sorted[len(sorted)-1], quantile(sorted, 0.5)
	}
	return nil
}

// invoke hands over a batch that must be answered whole.
func invoke(p *lambdaruntime.Process, batch []byte) error {
	answer, err := p.Invoke(batch, timeLimit, nil)
	if err != nil {
		return err
	}
	var response events.KinesisEventResponse
	if err := json.Unmarshal(answer, &response); err != nil || len(response.BatchItemFailures) > 0 {
		return fmt.Errorf("answer %s: %w", answer, err)
	}
	return nil
}

// newCommand makes the function's process, with the environment that Lambda and terraform/ give it.
func newCommand(ctx context.Context, program, dsn, firehose string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = []string{
		"AWS_LAMBDA_FUNCTION_NAME=recommend", "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_ENDPOINT_URL=" + firehose, "PGVECTOR_DSN=" +
			dsn, "RECOMMENDATIONS_BUCKET=none", "RECOMMENDATIONS_DELIVERY_STREAM=recommendations",
	}
	return cmd
}

// allocations runs the benchmark of the handler.
func allocations(ctx context.Context) (string, error) {
	said, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkHandle$", "-benchtime",
		"20000x", "./lambdas/recommend").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("run BenchmarkHandle: %w: %s", err, said)
	}
	line := regexp.MustCompile(`(?m)^BenchmarkHandle\S*\s+\d+\s+(.*)$`).FindSubmatch(said)
	if line == nil {
		return "", fmt.Errorf("BenchmarkHandle printed nothing: %s", said)
	}
	return string(line[1]), nil
}

// report prints the table, its ratios last, and leaves it as JSON.
func (c *command) report(out io.Writer, rows []*row, large []*catalogue,
	starts, answers map[string][]float64, zips map[string]int, allocations string) error {
	printf(out, "\n%d products of %d components, batches of %d events, %d rounds of %d events\n", c.Items, c.Dim, c.Batch,
		c.Rounds, c.Batch*c.Distinct)
	printf(out, "%-26s %12s %12s %12s %12s\n", "", "events/s", "median", "batch p50 ms", "p99 ms")
	by := map[string]*row{}
	for _, r := range rows {
		by[r.Subject] = r
		printf(out, "%-26s %12.0f %12.0f %12.1f %12.1f\n", r.Subject, r.Best, r.Median, r.P50MS, r.P99MS)
	}
	printf(out, "\n%-26s %12s %12s %12s\n", "", "start ms", "median", "zip bytes")
	names := []string{"hello, world", empty, kindred, "serve"}
	for _, name := range names {
		printf(out, "%-26s %12.1f %12.1f %12d\n", name, starts[name][0], quantile(starts[name], 0.5), zips[name])
	}
	printf(out, "\n%-26s %15s %12s\n", "", "first answer ms", "median")
	for _, name := range []string{kindred, inMemory, farAway} {
		printf(out, "%-26s %15.1f %12.1f\n", name, answers[name][0], quantile(answers[name], 0.5))
	}
	printf(out, "\nan event, without database and runtime (go test -bench BenchmarkHandle ./lambdas/recommend): %s\n\n",
		allocations)
	ratios := []ratio{
		{"kindred / bare pgx loop, events/s, median of the rounds", ratioOfRounds(by[kindred], by[loopRow]), ">= 0.8"},
		{"kindred in memory / bare pgx loop of 2026-11-29, events/s, median of the rounds",
			ratioOfRounds(by[inMemory], by[frozenRow]), ">= 2.4"},
		{"kindred with the database stubbed / one shard's records/s", by[stubbed].Median / oneShard, ">= 10"},
		{"kindred / hello, world, start, medians",
			quantile(starts[kindred], 0.5) / quantile(starts["hello, world"], 0.5), "<= 1.5"},
		{"serve / hello, world, start, medians",
			quantile(starts["serve"], 0.5) / quantile(starts["hello, world"], 0.5), "<= 1.5"},
	}
	for _, l := range large {
		ratios = append(ratios, l.print(out))
	}
	for _, r := range ratios {
		printf(out, "%-72s %6.2f   want %s\n", r.Name, r.Value, r.Want)
	}
	return results.Write(c.State, "stream", map[string]any{"config": c, "rows": rows, "large": large, "starts_ms": starts,
		"first_answers_ms": answers, "zip_bytes": zips, "event": allocations, "ratios": ratios})
}

// ratio is one of the last lines.
type ratio struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Want  string  `json:"want"`
}

// ratioOfRounds is the median ratio of a's rate to b's in the same round.
func ratioOfRounds(a, b *row) float64 {
	ratios := make([]float64, len(a.EventsPerSecond))
	for i := range ratios {
		ratios[i] = a.EventsPerSecond[i] / b.EventsPerSecond[i]
	}
	slices.Sort(ratios)
	return quantile(ratios, 0.5)
}

func quantile(sorted []float64, q float64) float64 {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func printf(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
