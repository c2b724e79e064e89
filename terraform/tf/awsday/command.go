package awsday

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"kindred/internal/platform/artifact"
	"kindred/internal/platform/program"
	"kindred/terraform/tf/promotion"
)

// Command makes an environment, asks what only AWS can tell, and destroys it.
type Command struct {
	promotion.Target `embed:""`
	Budget           float64 `placeholder:"USD" help:"What the day may cost in US dollars. It is refused if that is too little, and ends at the latest when the hours that it pays for are over. Needed without --only-destroy."`
	Events           int     `placeholder:"NUMBER" default:"6000" help:"Number of events of the load."`
	Rate             int     `placeholder:"NUMBER" default:"50" help:"Events per second of the load."`
	Report           string  `type:"path" placeholder:"FOLDER" help:"Where to write the report. Default: terraform/aws-day in the state folder."`
	OnlyDestroy      bool    `help:"Only destroy what an earlier day left, which could not destroy it."`
}

// variables are those of an environment's variables that the day must know.
type variables struct {
	Protect *bool
	Workers *int `json:"etl_workers"`
	Spark   *struct{ Always bool }
	Shop    struct{ Name string }
}

// check refuses what a destroy could not delete.
func (v variables) check(file string) error {
	if v.Protect == nil || *v.Protect {
		return fmt.Errorf(`%w: %s must contain "protect": false, so that the day can destroy what it makes`,
			program.ErrConfig, file)
	}
	return nil
}

// Run runs the day.
func (c *Command) Run(ctx context.Context, out *program.Output) error {
	// A terminal that is closed must not leave what costs money.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	signal.Ignore(syscall.SIGPIPE)
	text, err := os.ReadFile(c.Vars)
	if err != nil {
		return fmt.Errorf("read variables: %w", err)
	}
	var v variables
	if err := json.Unmarshal(text, &v); err != nil {
		return fmt.Errorf("read variables %s: %w", filepath.Base(c.Vars), err)
	}
	if err := v.check(c.Vars); err != nil {
		return err
	}
	p, err := c.Open(ctx, out.Stderr, "seed")
	if err != nil {
		return err
	}
	e, err := c.environment(p, v)
	if err != nil {
		return err
	}
	if c.OnlyDestroy {
		return c.destroy(ctx, e, out)
	}
	folder := c.Report
	if folder == "" {
		folder = filepath.Join(filepath.Dir(e.Work), "aws-day")
	}
	name := c.Environment + "-" + time.Now().UTC().Format("20060102T150405Z")
	d := Day{Account: e, Budget: c.Budget, Emulator: aws.ToString(p.AWS.BaseEndpoint) != "", Out: out.Stderr,
		Agree: func(terms string) error {
			fmt.Fprintf(out.Stderr, "%s\nThe report: %s.md\n", terms, filepath.Join(folder, name))
			return agree(os.Stdin, out.Stderr, c.Environment)
		},
		Save: func(r Report) error {
			r.Environment, r.Account, r.Region, r.Commit = c.Environment, p.Account, p.AWS.Region, p.Tag
			return r.Write(folder, name)
		}}
	report, err := d.Run(ctx)
	if len(report.Answers) == 0 {
		return err
	}
	counts := map[Status]int{}
	for _, a := range report.Answers {
		counts[a.Status]++
	}
	return errors.Join(err, out.Result(fmt.Sprintf("%d passed, %d failed, %d not reached, %d need AWS; the report is "+
		"%s.md", counts[Passed], counts[Failed], counts[NotReached], counts[NeedsAWS], filepath.Join(folder, name)), report))
}

// environment is the Account of the promotion.
func (c *Command) environment(p *promotion.Promotion, v variables) (*Environment, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find replay and verify: %w", err)
	}
	repository, err := artifact.FindRepository()
	if err != nil {
		return nil, err
	}
	e := NewEnvironment(p)
	e.Programs, e.Work = filepath.Dir(own), p.Packages
	e.Events, e.Rate, e.Shop = c.Events, max(c.Rate, 1), v.Shop.Name
	e.Glue = v.Workers != nil || (v.Spark != nil && v.Spark.Always)
	if os.Getenv("CONFORMANCE_AWS_AGREED") != "" {
		e.Conform = func(ctx context.Context) (string, error) { return conform(ctx, repository, p) }
	}
	return e, nil
}

// conform runs the rows of docs/parity.md on the account.
func conform(ctx context.Context, repository string, p *promotion.Promotion) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "run", "./integration/conformance/parity", "--aws")
	// It deletes what it made when it is interrupted. `go run` passes the signal on to its group only.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Minute
	cmd.Dir = repository
	cmd.Env = append(os.Environ(), "CONFORMANCE_AWS_ACCOUNT="+p.Account, "CONFORMANCE_AWS_REGION="+p.AWS.Region)
	text, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("the conformance rows: %w: %s", err, cell(string(text[max(0, len(text)-mostCell):])))
	}
	page, err := os.ReadFile(filepath.Join(repository, "docs", "parity.md"))
	if err != nil {
		return "", fmt.Errorf("read the conformance rows: %w", err)
	}
	same, differ := column(string(page))
	if len(differ) > 0 || same == 0 {
		return "", fmt.Errorf("%w: %d rows are as documented, these are not: %s. docs/parity.md says how", ErrFailed, same,
			strings.Join(differ, ", "))
	}
	return fmt.Sprintf("%d rows are as documented; commit docs/parity.md", same), nil
}

// column counts the rows of docs/parity.md in which AWS does what it documents, and names the others.
func column(page string) (same int, differ []string) {
	for line := range strings.Lines(page) {
		cells := strings.Split(line, " | ")
		switch id := strings.Trim(cells[0], "|` "); {
		case !strings.HasPrefix(line, "| `") || len(cells) < 4:
		case cells[2] == "as AWS documents":
			same++
		default:
			differ = append(differ, id)
		}
	}
	return same, differ
}

// agree reads the environment's name.
func agree(in io.Reader, out io.Writer, environment string) error {
	fmt.Fprintf(out, "Type %s to agree: ", environment)
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the confirmation: %w", err)
	}
	if strings.TrimSpace(line) != environment {
		return promotion.ErrNotConfirmed
	}
	return nil
}

// destroy deletes what an earlier day left.
func (c *Command) destroy(ctx context.Context, e *Environment, out *program.Output) error {
	held, err := e.Promotion.Held(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out.Stderr, "%d resources are in the state of %s.\n", len(held), c.Environment)
	if err := agree(os.Stdin, out.Stderr, c.Environment); err != nil {
		return err
	}
	if err := e.Recall(ctx); err != nil {
		return err
	}
	left, err := e.Destroy(ctx)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%w: %s", ErrLeft, strings.Join(left, ", "))
	}
	return errors.Join(err, out.Result(fmt.Sprintf("%d resources are left", len(left)), left))
}
