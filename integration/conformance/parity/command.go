package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"golang.org/x/sync/errgroup"

	"kindred/integration/conformance"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/program"
	"kindred/localstack/stack"
)

// command is the command line.
type command struct {
	Endpoint string `env:"CONFORMANCE_ENDPOINT" placeholder:"URL" help:"Check only this endpoint, and print its column."`
	Rows     string `placeholder:"TEXT" help:"Check only the rows whose id contains this text. The other rows are kept."`
	Emulator string `placeholder:"NAME" help:"Check only this emulator. The columns of the others are kept."`
	AWS      bool   `help:"Check AWS, if the variables CONFORMANCE_AWS_… allow it, and write its column."`
}

// region is where the rows work on an emulator.
const region = "eu-west-1"

// page is the file in the repository.
const page = "docs/parity.md"

// Run looks for the rows.
func (c *command) Run(ctx context.Context, out *program.Output) error {
	local, err := stack.Open(stack.Config{Report: stack.Printer(out.Stderr)})
	if err != nil {
		return err
	}
	rows := slices.DeleteFunc(conformance.Behaviours(),
		func(b conformance.Behaviour) bool { return !strings.Contains(b.ID, c.Rows) })
	file := filepath.Join(local.Home(), page)
	table, err := readPage(file)
	if err != nil {
		return err
	}
	switch {
	case c.AWS:
		err = onAWS(ctx, local.Home(), rows, &table, out.Stderr)
	case c.Endpoint != "":
		table = conformance.Table{}
		err = onEndpoint(ctx, local.Home(), c.Endpoint, "endpoint", rows, &table, &prefixed{out: out.Stderr})
	default:
		err = onEmulators(ctx, local, c.Emulator, rows, &table, out.Stderr)
	}
	if err != nil {
		return err
	}
	if c.Endpoint != "" {
		_, err := fmt.Fprint(out.Stdout, table.String())
		return err
	}
	if err := os.WriteFile(file, []byte(table.String()), 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return out.Result("wrote "+page, table)
}

// readPage returns the committed columns: those that are not run now stay. AWS's is the first.
func readPage(file string) (conformance.Table, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return conformance.Table{Columns: []string{conformance.AWSColumn}}, nil
	}
	if err != nil {
		return conformance.Table{}, fmt.Errorf("read the page: %w", err)
	}
	return conformance.Read(string(text))
}

func onAWS(ctx context.Context, repository string, rows []conformance.Behaviour, table *conformance.Table,
	log io.Writer) error {
	cfg, err := awsclient.Load(ctx)
	if err != nil {
		return err
	}
	target, err := conformance.OpenAWS(ctx, cfg, conformance.AWS{
		AccountID: os.Getenv("CONFORMANCE_AWS_ACCOUNT"), BudgetTag: os.Getenv("CONFORMANCE_AWS_BUDGET_TAG"),
		Region: os.Getenv("CONFORMANCE_AWS_REGION"), Agreed: os.Getenv("CONFORMANCE_AWS_AGREED"),
	})
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	if target.Probe, err = conformance.BuildProbe(ctx, repository, "linux"); err != nil {
		return err
	}
	cells, err := conformance.Run(ctx, target, rows, log)
	if cells != nil {
		table.Set(conformance.AWSColumn, cells)
	}
	return err
}

// onEndpoint runs the rows on one endpoint and puts its column into the table.
func onEndpoint(
	ctx context.Context, repository, endpoint, title string, rows []conformance.Behaviour, table *conformance.Table,
	log io.Writer,
) error {
	probe, err := conformance.BuildProbe(ctx, repository, runtime.GOOS)
	if err != nil {
		return err
	}
	cells, err := conformance.Run(ctx, conformance.Target{Config: emulatorConfig(endpoint), Probe: probe}, rows, log)
	if err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	table.Set(title, cells)
	return nil
}

func emulatorConfig(endpoint string) aws.Config {
	return aws.Config{Region: region, BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
}

// atOnce is how many emulators run at the same time. On few CPUs one after the other is as fast,
// and none starves.
func atOnce() int { return max(1, runtime.NumCPU()/4) }

// onEmulators runs the rows on the stack's LocalStack, which runs already, and on the others, which
// it starts and ends.
func onEmulators(
	ctx context.Context, local *stack.Stack, only string, rows []conformance.Behaviour, table *conformance.Table,
	log io.Writer,
) error {
	chosen := slices.DeleteFunc(emulators(),
		func(e emulator) bool { return only != "" && !strings.EqualFold(e.name, only) })
	if len(chosen) == 0 {
		return fmt.Errorf("%w: no emulator is named %s", program.ErrConfig, only)
	}

	var mu sync.Mutex
	columns := map[string]conformance.Table{}
	var group *errgroup.Group
	group, ctx = errgroup.WithContext(ctx)
	group.SetLimit(atOnce())
	for _, e := range chosen {
		group.Go(func() error {
			running, err := e.start(ctx, local)
			if err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
			defer running.stop()
			var column conformance.Table
			lines := &prefixed{name: e.name, mu: &mu, out: log}
			if err := onEndpoint(ctx, local.Home(), running.endpoint, e.name+" "+running.version, rows, &column,
				lines); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			columns[e.name] = column
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, e := range chosen {
		title := columns[e.name].Columns[0]
		table.Set(title, columns[e.name].Cells[title])
	}
	return nil
}

// prefixed writes whole lines with the emulator's name.
type prefixed struct {
	name string
	mu   *sync.Mutex
	out  io.Writer
}

func (p *prefixed) Write(text []byte) (int, error) {
	if p.mu != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
	}
	_, err := fmt.Fprintf(p.out, "%-11s%s", p.name, text)
	return len(text), err
}
