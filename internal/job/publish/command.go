package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/platform/actor"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
)

// Description says what the program does, for its help.
const Description = "Load model versions into the vector database, make one live, or return to an earlier one. " +
	"Keep the shop's stock and prices there up to date."

// Command is the program's grammar.
type Command struct {
	Run        runCommand        `cmd:"" default:"withargs" help:"Load a model version (default: the newest), check the gate's verdict, and make it live (the default command). A damaged version is loaded again."`
	List       listCommand       `cmd:"" help:"List the loaded versions, what is damaged in them, and which version was live when."`
	Show       showCommand       `cmd:"" help:"Explain a version and its verdict in words."`
	Rollback   rollbackCommand   `cmd:"" help:"Make the previous version live again."`
	Canary     canaryCommand     `cmd:"" help:"Start a canary, a second version that answers a share of the sessions. With --off, end it."`
	Experiment experimentCommand `cmd:"" help:"Compare a version with the live one by what visitors do, and let the outcome decide."`
	Placements placementsCommand `cmd:"" help:"Publish the rules of the places on the shop's pages, or return to earlier ones."`
	Catalogue  catalogueCommand  `cmd:"" help:"Read the shop's products and write what has changed: stock, prices, new and removed products. The changes take effect at once, whichever version is live. Run this every few minutes."`
	Migrate    migrateCommand    `cmd:"" help:"Bring the vector database's schema up to date."`
}

// move is what every command that moves the pointer records.
type move struct {
	Actor  string `placeholder:"NAME" help:"Person or role that acts, as the history records it. Default: the AWS role on AWS, elsewhere the user of this machine."`
	Reason string `help:"Why you do this. The history that publish list shows records it."`
}

// AfterApply finds out who acts, unless a flag says it.
func (m *move) AfterApply() error {
	if m.Actor == "" {
		m.Actor = actor.Name()
	}
	return nil
}

type runCommand struct {
	envconfig.PGVector
	envconfig.Artifacts
	move
	Version string `arg:"" optional:"" help:"Version to make live. Default: the newest one."`
	Force   bool   `help:"Make the version live even if the gate refuses it, or if the live version has a better verdict. Needs --reason."`

	ReplaceShop bool `help:"Make the version live, this once, even if the live version belongs to another shop. To return to the other shop, use publish rollback."`
}

// Run takes a version live.
func (c *runCommand) Run(ctx context.Context, out *program.Output) error {
	if c.Force && c.Reason == "" {
		return fmt.Errorf("%w: --force needs --reason", program.ErrConfig)
	}
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		from, err := OpenModels(ctx, c.Artifacts)
		if err != nil {
			return err
		}
		result, err := Run(ctx, Database{s}, from, c.Version,
			vectorstore.PromoteOptions{Actor: c.Actor, Reason: c.Reason, Force: c.Force, ReplaceShop: c.ReplaceShop})
		if err != nil {
			return advise(err)
		}
		sentence := fmt.Sprintf("Version %s is live: %d products, %d customers, %.1f s.",
			result.ModelVersion, result.Items, result.Customers, result.Seconds)
		switch {
		case result.NoOp:
			sentence = fmt.Sprintf("Version %s was live already, and it answers: nothing to do.", result.ModelVersion)
		case len(result.Repaired) > 0:
			sentence += " It was loaded again, because it was damaged: " + strings.Join(result.Repaired, "; ") + "."
		}
		if result.Verdict.Decision() == modelversion.OutcomeUncompared {
			sentence += "\n" + Decision(result.Verdict)
		}
		return out.Result(sentence, result)
	})
}

// advise tells what can be done about a refusal, or about a version that does not answer.
func advise(err error) error {
	var refusal *vectorstore.Refusal
	switch {
	case errors.As(err, &refusal):
		return fmt.Errorf("%w: %w. It is loaded but not live: `publish show %s` explains, --force --reason overrules",
			program.ErrRefused, err, refusal.Version)
	case errors.Is(err, vectorstore.ErrCannotAnswer):
		return fmt.Errorf("%w. The pointer has not moved. `publish VERSION` loads a damaged version again, "+
			"`publish migrate --reader ROLE` admits the role that serves", err)
	}
	return err
}

type canaryCommand struct {
	envconfig.PGVector
	envconfig.Artifacts
	move
	Version string  `arg:"" optional:"" help:"Version that becomes the canary. Default: the newest one."`
	Share   float64 `default:"0.1" help:"Share of the sessions that the canary answers, between 0 and 1."`
	Off     bool    `help:"End the canary: the live version answers all sessions again."`
	Force   bool    `help:"Start the canary even if the gate refuses the version. Needs --reason."`

	ReplaceShop bool `help:"Start the canary, this once, even if the live version belongs to another shop."`
}

// Run starts or ends a canary.
func (c *canaryCommand) Run(ctx context.Context, out *program.Output) error {
	opts := vectorstore.PromoteOptions{Actor: c.Actor, Reason: c.Reason, Force: c.Force, ReplaceShop: c.ReplaceShop}
	switch {
	case c.Force && c.Reason == "":
		return fmt.Errorf("%w: --force needs --reason", program.ErrConfig)
	case c.Off && c.Version != "":
		return fmt.Errorf("%w: --off takes no version: there is one canary at most", program.ErrConfig)
	case !(c.Share > 0 && c.Share < 1):
		return fmt.Errorf("%w: --share is between 0 and 1; `publish VERSION` makes a version live for all sessions",
			program.ErrConfig)
	}
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		if c.Off {
			version, err := s.StopCanary(ctx, opts)
			if err != nil {
				return err
			}
			return out.Result("Version "+version+" is no longer a canary: the live version answers all sessions.",
				CanaryResult{ModelVersion: version})
		}
		from, err := OpenModels(ctx, c.Artifacts)
		if err != nil {
			return err
		}
		result, err := Canary(ctx, Database{s}, from, c.Version, c.Share, opts)
		if err != nil {
			return advise(err)
		}
		return out.Result(fmt.Sprintf("Version %s answers %g %% of the sessions; `publish canary --off` ends that, and so "+
			"do %d requests that it cannot answer within %v.",
			result.ModelVersion, 100*result.Share, recommend.CanaryErrors, recommend.CanaryPeriod), result)
	})
}

type listCommand struct{ envconfig.PGVector }

// Run lists versions and history.
func (c *listCommand) Run(ctx context.Context, out *program.Output) error {
	return withStore(ctx, c.PGVector, func(s *vectorstore.Store) error {
		listing, err := List(ctx, s)
		if err != nil {
			return err
		}
		return out.Result(table(listing.Versions, listing.History), listing)
	})
}

// gateWords are the outcomes in the list's column GATE.
var gateWords = map[modelversion.Outcome]string{modelversion.OutcomePassed: "pass",
	modelversion.OutcomeRefused: "refuse", modelversion.OutcomeUncompared: "uncompared"}

// table prints versions and history in lines.
func table(versions []Listed, history []vectorstore.Promotion) string {
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
		if own := v.Report.Own(); own != nil {
			ndcg = fmt.Sprintf("%.3f", own.NDCG10)
		}
		if v.Report.Verdict.Popularity {
			gate = "popularity"
		}
		state := string(v.State)
		if len(v.Damage) > 0 {
			state = "damaged"
		}
		fmt.Fprintf(&b, "%-18s %-9s %-8s %-10s %9d %10d %8s\n", v.ID, standing, state, gate, v.Items, v.Customers, ndcg)
		for _, fault := range v.Damage {
			fmt.Fprintf(&b, "  damaged: %s\n", fault)
		}
	}
	for _, p := range history {
		b.WriteString(Line(p) + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Line prints a step of the history.
func Line(p vectorstore.Promotion) string {
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
	Version string `arg:"" optional:"" help:"Version to explain. Default: the live one."`
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
			return advise(err)
		}
		return out.Result("Version "+version+" is live again.", struct {
			ModelVersion string `json:"model_version"`
		}{version})
	})
}

type migrateCommand struct {
	envconfig.PGVector
	Reader string `env:"PGVECTOR_READER" placeholder:"ROLE" help:"Database role of serve, created if it does not exist. It may read, and count requests that the canary could not answer. On RDS it logs in with IAM. Each publish renews its grants. Default: no role is created."`
	Writer string `env:"PGVECTOR_WRITER" placeholder:"ROLE" help:"Database role of recommend, created like the role of --reader. It may also write purchases and the state of products, customers and sessions. publish catalogue may run as this role. Default: no role is created."`
	Owner  string `env:"PGVECTOR_OWNER" placeholder:"ROLE" help:"Database role of publish and erase, created like the role of --reader. It owns the schemas, so that both programs need not log in as the server's master. Default: no role is created, and the schemas stay with whoever migrates."`
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
		if c.Writer != "" {
			if err := migration.AdmitWriter(ctx, s, c.Writer); err != nil {
				return err
			}
		}
		if c.Owner != "" {
			if err := migration.AdmitOwner(ctx, s, c.Owner); err != nil {
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
	s, err := vectorstore.OpenAs(ctx, cfg, awsclient.Environment)
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	defer s.Close()
	return vectorstore.ExplainLock(use(s))
}
