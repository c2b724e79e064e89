package promotion

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/program"
)

// Target is an environment, and what a promotion brings there.
type Target struct {
	Environment string `arg:"" help:"Environment, such as dev, stage or prod. It is part of the name of the state and of every resource."`
	Vars        string `type:"existingfile" required:"" placeholder:"FILE" help:"File of the environment's variables, in Terraform's JSON form. It must contain account_id and region."`
	State       string `required:"" placeholder:"BUCKET" help:"Bucket of Terraform's states."`
	RDSCA       string `name:"rds-ca" required:"" type:"existingfile" placeholder:"FILE" help:"RDS's certificate authorities (global-bundle.pem), and that of the shop's MySQL if it is not on RDS."`
	DuckDB      string `name:"duckdb" type:"existingdir" placeholder:"FOLDER" help:"DuckDB's program for Linux on ARM64, with the libraries that it links, as docs/deploy.md makes it. Without it, feedback does not run."`
}

// promoteCommand packages this commit and promotes it to one environment on AWS.
type promoteCommand struct {
	Target   `embed:""`
	PlanOnly bool          `help:"Show what would change, and stop."`
	Watch    time.Duration `default:"10m" help:"How long the new versions of the functions get a tenth of the calls, while the alarms are watched, before they get all."`
	Chain    bool          `help:"Run etl, train and publish before the smoke test, as the first promotion of an environment does."`
}

// place is the account and the region in which a promotion may change something.
type place struct {
	AccountID string `json:"account_id"`
	Region    string `json:"region"`
}

// Run checks the credentials' account, builds the packages, and promotes.
func (c *promoteCommand) Run(ctx context.Context, out *program.Output) error {
	p, err := c.Open(ctx, out.Stderr)
	if err != nil {
		return err
	}
	p.PlanOnly, p.Watch, p.Chain = c.PlanOnly, max(c.Watch, 1), c.Chain
	changes, err := p.Run(ctx)
	if err != nil {
		return err
	}
	if c.PlanOnly {
		return out.Result(fmt.Sprintf("%d changes planned, none made", len(changes)), changes)
	}
	return out.Result(fmt.Sprintf("%d changes made; %s is promoted", len(changes), c.Environment), changes)
}

// Open checks the variables and the credentials' account, and builds the packages, with more programs in the
// image. It changes nothing on AWS. The promotion asks on standard input, and shows what it does on out.
func (c *Target) Open(ctx context.Context, out io.Writer, more ...string) (*Promotion, error) {
	w, err := Open(ctx)
	if err != nil {
		return nil, err
	}
	var want place
	text, err := os.ReadFile(c.Vars)
	if err != nil {
		return nil, fmt.Errorf("read variables: %w", err)
	}
	if err := json.Unmarshal(text, &want); err != nil {
		return nil, fmt.Errorf("read variables %s: %w", filepath.Base(c.Vars), err)
	}
	cfg, err := awsclient.Load(ctx)
	if err != nil {
		return nil, err
	}
	identity, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, fmt.Errorf("read the account of the credentials: %w", err)
	}
	if err := want.check(place{AccountID: aws.ToString(identity.Account), Region: cfg.Region}); err != nil {
		return nil, err
	}
	mails, err := alarmMails(text)
	if err != nil {
		return nil, err
	}
	p := &Promotion{AWS: cfg, Environment: c.Environment, Account: want.AccountID,
		EmptyShop: emptyShop(text), Mails: mails, In: os.Stdin, Out: out,
		Smoke: func(ctx context.Context, env []string) error { return smoke(ctx, w.Repository, env) }}
	if err := c.pack(ctx, w, p, text, more); err != nil {
		return nil, err
	}
	p.Root = w.Root("aws", "aws-"+c.Environment)
	if err := p.Root.Init(ctx, "-backend-config=bucket="+c.State, "-backend-config=key="+c.Environment+".tfstate",
		"-backend-config=region="+want.Region); err != nil {
		return nil, err
	}
	if p.Vars, err = filepath.Abs(c.Vars); err != nil {
		return nil, fmt.Errorf("find variables: %w", err)
	}
	return p, nil
}

// pack checks what AWS would refuse, and builds the commit's packages.
func (c *Target) pack(ctx context.Context, w *Workspace, p *Promotion, variables []byte, more []string) error {
	tag, err := commitOf(ctx, w.Repository)
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(c.RDSCA)
	if err != nil {
		return fmt.Errorf("read RDS's certificate authorities: %w", err)
	}
	var reason string
	if p.More, reason, err = preflight(ctx, p.AWS, variables, ca, c.DuckDB != ""); err != nil {
		return err
	}
	if reason != "" {
		fmt.Fprintln(p.Out, reason)
	}
	if c.DuckDB != "" {
		tag += "-duckdb" // tags are immutable, and the same commit has another image without it
	}
	p.Tag = strings.Join(append([]string{tag}, more...), "-")
	p.Packages = filepath.Join(w.State, "package-"+p.Tag)
	return Package(ctx, w.Repository, p.Packages, ca, c.DuckDB, more...)
}

// check returns an error unless actual is the expected account and region.
func (t place) check(actual place) error {
	if t.AccountID == "" || t.Region == "" {
		return fmt.Errorf("%w: the variables must name account_id and region", ErrWrongTarget)
	}
	if actual != t {
		return fmt.Errorf("%w: the credentials belong to account %s in %q, but the variables name %s in %q", ErrWrongTarget,
			actual.AccountID, actual.Region, t.AccountID, t.Region)
	}
	return nil
}

// commitOf returns the first 12 digits of the commit. It refuses uncommitted changes, because their
// sources could not be found later.
func commitOf(ctx context.Context, repository string) (string, error) {
	git := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = repository
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("git %s: %w", args[0], err)
		}
		return strings.TrimSpace(string(out)), nil
	}
	changed, err := git("status", "--porcelain")
	if err != nil {
		return "", err
	}
	if changed != "" {
		return "", ErrUncommitted
	}
	return git("rev-parse", "--short=12", "HEAD")
}
