// Package loop runs kindred's programs one after the other, as a person would, and reports what
// they did: live on the terminal, then as a summary, then as JSON in the state folder. It owns no
// logic of the pipeline: each step is the program of that name, run with --json and the local
// stack's environment.
package loop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
)

// ReportFile is the name of the JSON report inside the state folder.
const ReportFile = "demo-report.json"

// auditPatience is how long verify may wait for the last events to arrive: the stack needs a few
// seconds, a busy machine many.
const auditPatience = 3 * time.Minute

// Demo is one run of the whole loop. All fields are required but Data and ImportFlags.
type Demo struct {
	Programs string  // folder of the compiled programs
	State    string  // the local stack's state folder; holds its environment file and gets the report
	Data     string  // file or folder to import; "" generates a shop
	Scale    float64 // size of the generated shop
	Events   int     // clicks to send
	Poison   int     // unreadable records among them
	Rate     int     // clicks per second

	ImportFlags []string // of `seed import`, for Data

	Out      io.Writer // the account and the summary
	Progress io.Writer // the programs' own progress, usually standard error

	environment []string
	steps       []Step
}

// Run runs every step, prints the account and the summary, and writes the report. It fails with the
// first step that fails.
func (d *Demo) Run(ctx context.Context) error {
	var r Report
	what := "ratings"
	if d.Data != "" {
		what = "data"
	}
	d.title(fmt.Sprintf("kindred: a shop's %s and its visitors' clicks become recommendations, on this machine", what))

	if err := d.step(ctx, "up", "start LocalStack, PostgreSQL with pgvector and MySQL", d.program("localstack", "up"),
		nil); err != nil {
		return err
	}
	if err := d.readEnvironment(); err != nil {
		return err
	}
	if err := d.batch(ctx, &r); err != nil {
		return err
	}
	since := time.Now().UTC()
	replay := d.program("replay", "--events", strconv.Itoa(d.Events), "--poison", strconv.Itoa(d.Poison), "--rate",
		strconv.Itoa(d.Rate))
	if err := d.step(ctx, "replay", "simulated visitors click; some records are poison", replay, &r.Replay); err != nil {
		return err
	}
	d.result("%s clicks of %s sessions and %s poison records on the stream",
		count(r.Replay.EventsSent), count(r.Replay.Sessions), count(r.Replay.PoisonSent))
	verify := d.program("verify", "--since", since.Format(time.RFC3339Nano), "--wait", auditPatience.String())
	if err := d.step(ctx, "verify", "compare what went in with what came out, event by event", verify,
		&r.Audit); err != nil {
		return err
	}
	d.result("%s events, each found where it belongs", count(r.Audit.Events))
	r.Steps = d.steps
	if err := r.check(d.Poison); err != nil {
		return err
	}
	visitors, err := sampleVisitors(ctx, d.environment, since)
	if err != nil {
		return fmt.Errorf("read visitors' recommendations: %w", err)
	}
	r.summarise(d.Out, visitors)
	path := filepath.Join(d.State, ReportFile)
	if err := r.write(path); err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.Out, "\nThe same as JSON: %s\nSee it in a browser: `make console`.\nThe stack still "+
		"runs: `make local-status`, `make serve`, `make local-down`.\n", path)
	return err
}

// batch fills the shop, and brings a model of it live.
func (d *Demo) batch(ctx context.Context, r *Report) error {
	seed := []string{"generate", "--scale", strconv.FormatFloat(d.Scale, 'g', -1, 64)}
	origin := "fill MySQL with a generated shop whose customers have planted tastes"
	if d.Data != "" {
		seed, origin = append([]string{"import", d.Data}, d.ImportFlags...), "fill MySQL from "+d.Data
	}
	// The buckets come before the seed: it leaves the planted tastes in the lake.
	if err := d.step(ctx, "deploy", "create buckets, streams and the recommend function",
		d.program("localstack", "provision"), nil); err != nil {
		return err
	}
	if err := d.step(ctx, "seed", origin, d.program("seed", seed...), &r.Seed); err != nil {
		return err
	}
	d.result("%s%s", r.Seed.sentence(), d.unchanged())
	for _, line := range r.Seed.account() {
		fmt.Fprintf(d.Out, "         %s\n", line)
	}
	etl, catalogue := d.program("etl"), d.program("publish", "catalogue")
	if !d.steps[len(d.steps)-1].NoOp { // another shop than before was asked for
		etl = d.program("etl", "--accept-schema", "--accept-shrink")
		catalogue = d.program("publish", "catalogue", "--accept-shrink")
	}
	if err := d.step(ctx, "etl", "MySQL → Parquet training set on S3", etl, &r.ETL); err != nil {
		return err
	}
	d.result("%s %s in training set %s%s", count(r.ETL.Rows.Ratings+r.ETL.Rows.Interactions), r.what(), r.ETL.RunID,
		d.unchanged())
	if err := d.step(ctx, "train", "training set → embeddings, tuned, evaluated, judged", d.program("train"),
		&r.Train); err != nil {
		return err
	}
	d.result("model %s%s", r.Train.ModelVersion, d.unchanged())
	overrule := d.overrule(r.Train.Report.Verdict)
	r.overruled = len(overrule) > 0
	if err := d.step(ctx, "publish", "embeddings → pgvector, live in one transaction",
		d.program("publish", overrule...), &r.Publish); err != nil {
		return err
	}
	d.result("%s products and %s customers are live%s", count(r.Publish.Items), count(r.Publish.Customers),
		d.unchanged())
	if err := d.step(ctx, "stock", "stock, prices and categories of now → pgvector", catalogue, &r.Catalogue); err != nil {
		return err
	}
	d.result("%s products, of which %s can be bought%s", count(r.Catalogue.Products), count(r.Catalogue.Available),
		d.unchanged())
	return nil
}

// overrule is what publish needs to make a model live that the gate refuses. The demo is to show what
// such a model recommends, if the data are somebody's own, or if nothing but the shop before is there
// to compare with. Its summary says so.
func (d *Demo) overrule(v modelversion.Verdict) (args []string) {
	if v.Decision() == modelversion.OutcomePassed || d.Data == "" &&
		(v.Popularity || v.Decision() == modelversion.OutcomeRefused) {
		return nil
	}
	if v.InsteadOf != "" {
		args = append(args, v.InsteadOf)
	}
	return append(args, "--force", "--reason", "make demo shows every model")
}

// program is the command of one compiled program with JSON output.
func (d *Demo) program(name string, args ...string) []string {
	return append(append([]string{filepath.Join(d.Programs, name)}, args...), "--json")
}

// step runs one program, with its progress passed on, and decodes its result into v unless v is nil.
func (d *Demo) step(ctx context.Context, name, what string, command []string, v any) error {
	fmt.Fprintf(d.Out, "\n\033[1m%-8s\033[0m %s\n", name, what)
	began := time.Now()
	var stdout bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Env = d.environment // nil before `up`: this process's own
	cmd.Stdout, cmd.Stderr = &stdout, d.Progress
	runErr := cmd.Run()
	took := time.Since(began)
	d.steps = append(d.steps, Step{Name: name, Seconds: took.Seconds()})
	last := &d.steps[len(d.steps)-1]
	if runErr != nil {
		return fmt.Errorf("%s ended after %.1f s (%w); its last words are above", name, took.Seconds(), runErr)
	}
	if v == nil {
		d.result("ready")
		return nil
	}
	e, err := program.ReadResult(stdout.Bytes(), v)
	if err != nil {
		return err
	}
	last.NoOp = e.NoOp
	return nil
}

// result prints what the last step achieved and how long it took.
func (d *Demo) result(format string, args ...any) {
	fmt.Fprintf(d.Out, "         %s \033[2m(%.1f s)\033[0m\n", fmt.Sprintf(format, args...),
		d.steps[len(d.steps)-1].Seconds)
}

func (d *Demo) title(text string) {
	fmt.Fprintf(d.Out, "\033[1m%s\033[0m\n", text)
}

// readEnvironment takes the variables that `localstack up` wrote, where the caller sets no others.
func (d *Demo) readEnvironment() error {
	path := filepath.Join(d.State, "env")
	written, err := envconfig.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the stack wrote no environment file %s: run `make local-up`", path)
	}
	if err != nil {
		return err
	}
	d.environment, _ = envconfig.Under(os.Environ(), written)
	return nil
}

// unchanged is what to say of the last step if it was a no-op.
func (d *Demo) unchanged() string {
	if d.steps[len(d.steps)-1].NoOp {
		return ", unchanged"
	}
	return ""
}

// count prints a number with thousands separated.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
