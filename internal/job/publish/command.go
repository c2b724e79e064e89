package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
)

// Description says what the program does, for its help.
const Description = "Takes model versions live in the vector database, and back."

// Command is the program's grammar.
type Command struct {
	Run      runCommand      `cmd:"" default:"withargs" help:"Load the newest model version, ask the gate, make it live (the default)."`
	List     listCommand     `cmd:"" help:"List the loaded versions and what was done to the live pointer."`
	Show     showCommand     `cmd:"" help:"Explain a version and its verdict in words."`
	Rollback rollbackCommand `cmd:"" help:"Make the previous version live again."`
	Canary   canaryCommand   `cmd:"" help:"Let a second version answer for a share of the sessions, or end that."`
	Migrate  migrateCommand  `cmd:"" help:"Bring the vector database's schema up to date."`
}

// move is what every command that moves the pointer records.
type move struct {
	Actor  string `env:"USER" default:"unknown" help:"Who does this, for the history."`
	Reason string `help:"Why, for the history."`
}

type runCommand struct {
	envconfig.PGVector
	envconfig.Artifacts
	move
	Version string `arg:"" optional:"" help:"A version other than the newest."`
	Force   bool   `help:"Promote although the gate refuses, or in place of a version that is better known; needs --reason."`
}

// Run takes a version live.
func (c *runCommand) Run(ctx context.Context, out *program.Output) error {
	if c.Force && c.Reason == "" {
		return fmt.Errorf("%w: --force needs --reason", program.ErrConfig)
	}
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		from, err := openModels(ctx, c.Artifacts)
		if err != nil {
			return err
		}
		result, err := Run(ctx, Database{s}, from, c.Version,
			vectorstore.PromoteOptions{Actor: c.Actor, Reason: c.Reason, Force: c.Force})
		if err != nil {
			return advise(err)
		}
		sentence := fmt.Sprintf("Version %s is live: %d products, %d customers, %.1f s.",
			result.ModelVersion, result.Items, result.Customers, result.Seconds)
		if result.NoOp {
			sentence = fmt.Sprintf("Version %s was live already: nothing to do.", result.ModelVersion)
		}
		if result.Verdict.Decision() == modelversion.OutcomeUncompared {
			sentence += "\n" + decision(result.Verdict)
		}
		return out.Result(sentence, result)
	})
}

// advise tells what can be done about a refusal.
func advise(err error) error {
	var refusal *vectorstore.Refusal
	if errors.As(err, &refusal) {
		return fmt.Errorf("%w. It is loaded but not live: `publish show %s` explains, --force --reason overrules", err, refusal.Version)
	}
	return err
}

type canaryCommand struct {
	envconfig.PGVector
	envconfig.Artifacts
	move
	Version string  `arg:"" optional:"" help:"A version other than the newest."`
	Share   float64 `default:"0.1" help:"Share of the sessions that it answers, between 0 and 1."`
	Off     bool    `help:"Give all sessions back to the live version."`
	Force   bool    `help:"Although the gate refuses; needs --reason."`
}

// Run starts or ends a canary.
func (c *canaryCommand) Run(ctx context.Context, out *program.Output) error {
	opts := vectorstore.PromoteOptions{Actor: c.Actor, Reason: c.Reason, Force: c.Force}
	switch {
	case c.Force && c.Reason == "":
		return fmt.Errorf("%w: --force needs --reason", program.ErrConfig)
	case c.Off && c.Version != "":
		return fmt.Errorf("%w: --off takes no version: there is one canary at most", program.ErrConfig)
	case !(c.Share > 0 && c.Share < 1):
		return fmt.Errorf("%w: --share is between 0 and 1; `publish VERSION` makes a version live for all sessions", program.ErrConfig)
	}
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		if c.Off {
			version, err := s.StopCanary(ctx, opts)
			if err != nil {
				return err
			}
			return out.Result("Version "+version+" is no canary any longer: the live version answers all sessions.",
				CanaryResult{ModelVersion: version})
		}
		from, err := openModels(ctx, c.Artifacts)
		if err != nil {
			return err
		}
		result, err := Canary(ctx, Database{s}, from, c.Version, c.Share, opts)
		if err != nil {
			return advise(err)
		}
		return out.Result(fmt.Sprintf("Version %s answers %g %% of the sessions; `publish canary --off` ends that.",
			result.ModelVersion, 100*result.Share), result)
	})
}

type listCommand struct{ envconfig.PGVector }

// Run lists versions and history.
func (c *listCommand) Run(ctx context.Context, out *program.Output) error {
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		versions, err := s.Versions(ctx)
		if err != nil {
			return err
		}
		history, err := s.History(ctx)
		if err != nil {
			return err
		}
		return out.Result(table(versions, history), struct {
			Versions []vectorstore.Version   `json:"versions"`
			History  []vectorstore.Promotion `json:"history"`
		}{versions, history})
	})
}

// gateWords are the outcomes in the list's column GATE.
var gateWords = map[modelversion.Outcome]string{modelversion.OutcomePassed: "pass",
	modelversion.OutcomeRefused: "refuse", modelversion.OutcomeUncompared: "uncompared"}

// table prints versions and history in lines.
func table(versions []vectorstore.Version, history []vectorstore.Promotion) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-18s %-9s %-8s %-10s %9s %10s %8s\n", "VERSION", "STANDING", "STATE", "GATE",
		"PRODUCTS", "CUSTOMERS", "NDCG@10")
	for _, v := range versions {
		standing, gate, ndcg := "", gateWords[v.Report.Verdict.Decision()], "-"
		switch {
		case v.Live:
			standing = "live"
		case v.Canary > 0:
			standing = fmt.Sprintf("%.3g %%", 100*v.Canary)
		case v.Previous:
			standing = "previous"
		}
		for _, row := range v.Report.Rows {
			if row.Name == modelversion.RowModel {
				ndcg = fmt.Sprintf("%.3f", row.NDCG10)
			}
		}
		fmt.Fprintf(&b, "%-18s %-9s %-8s %-10s %9d %10d %8s\n", v.ID, standing, v.State, gate, v.Items, v.Customers, ndcg)
	}
	for _, p := range history {
		b.WriteString(line(p) + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// line prints a step of the history.
func line(p vectorstore.Promotion) string {
	from := p.From
	if from == "" {
		from = "nothing"
	}
	text := fmt.Sprintf("%s  %s: %s, from %s to %s", p.At.UTC().Format(time.DateTime), p.Actor, p.Action, from, p.To)
	if p.Share > 0 {
		text += fmt.Sprintf(", %g %% of the sessions", 100*p.Share)
	}
	if p.Reason != "" {
		text += " (" + p.Reason + ")"
	}
	return text
}

type showCommand struct {
	envconfig.PGVector
	Version string `arg:"" optional:"" help:"The live one when left out."`
}

// Run explains one version.
func (c *showCommand) Run(ctx context.Context, out *program.Output) error {
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		versions, err := s.Versions(ctx)
		if err != nil {
			return err
		}
		history, err := s.History(ctx)
		if err != nil {
			return err
		}
		for _, v := range versions {
			if v.ID == c.Version || c.Version == "" && v.Live {
				return out.Result(Explain(v, history), v)
			}
		}
		if c.Version == "" {
			return vectorstore.ErrNoLiveVersion
		}
		return fmt.Errorf("show version %s: %w", c.Version, vectorstore.ErrUnknownVersion)
	})
}

type rollbackCommand struct {
	envconfig.PGVector
	move
}

// Run moves the pointer back.
func (c *rollbackCommand) Run(ctx context.Context, out *program.Output) error {
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		version, err := s.Rollback(ctx, vectorstore.PromoteOptions{Actor: c.Actor, Reason: c.Reason})
		if err != nil {
			return err
		}
		return out.Result("Version "+version+" is live again.", struct {
			ModelVersion string `json:"model_version"`
		}{version})
	})
}

type migrateCommand struct {
	envconfig.PGVector
	Reader string `env:"PGVECTOR_READER" placeholder:"ROLE" help:"Role that may read, made if absent: on RDS the functions log in as it, by IAM."`
}

// Run migrates.
func (c *migrateCommand) Run(ctx context.Context, out *program.Output) error {
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		if err := migration.Up(ctx, s); err != nil {
			return err
		}
		if c.Reader != "" {
			if err := migration.AdmitReader(ctx, s, c.Reader); err != nil {
				return err
			}
		}
		return out.Result("The vector database's schema is up to date.", struct{}{})
	})
}

// Database is a vector database to publish to.
type Database struct{ *vectorstore.Store }

// Migrate brings the schema up to date.
func (d Database) Migrate(ctx context.Context) error { return migration.Up(ctx, d.Store) }

// withStore opens the store for as long as use runs.
func withStore(ctx context.Context, cfg envconfig.PGVector, use func(*vectorstore.Store) error) error {
	s, err := vectorstore.Open(ctx, cfg)
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	defer s.Close()
	return use(s)
}
