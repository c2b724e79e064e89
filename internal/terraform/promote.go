package terraform

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"kindred/internal/awsclient"
	"kindred/internal/program"
)

// promoteCommand packages this commit and brings it to one environment on AWS.
type promoteCommand struct {
	Environment string `arg:"" help:"dev, stage, prod, …: names the state and every resource."`
	Vars        string `type:"existingfile" required:"" placeholder:"FILE" help:"The environment's variables, terraform.tfvars.json with account_id and region."`
	State       string `required:"" placeholder:"BUCKET" help:"Bucket of the states."`
	RDSCA       string `name:"rds-ca" required:"" type:"existingfile" placeholder:"FILE" help:"RDS's certificate authorities (global-bundle.pem)."`
	PlanOnly    bool   `help:"Show what would change, and stop."`
}

// target is where a promotion may go: the part of the variables that guards it.
type target struct {
	AccountID string `json:"account_id"`
	Region    string `json:"region"`
}

// Run packages, checks whose account answers, plans, shows changes and cost, and applies after a confirmation.
func (c *promoteCommand) Run(ctx context.Context, out *program.Output) error {
	w, err := Open(ctx)
	if err != nil {
		return err
	}
	var want target
	text, err := os.ReadFile(c.Vars)
	if err != nil {
		return fmt.Errorf("read variables: %w", err)
	}
	if err := json.Unmarshal(text, &want); err != nil {
		return fmt.Errorf("read variables %s: %w", filepath.Base(c.Vars), err)
	}
	cfg, err := awsclient.Load(ctx)
	if err != nil {
		return err
	}
	identity, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fmt.Errorf("ask whose credentials these are: %w", err)
	}
	if err := want.check(target{AccountID: aws.ToString(identity.Account), Region: cfg.Region}); err != nil {
		return err
	}
	tag, err := commitOf(ctx, w.Repository)
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(c.RDSCA)
	if err != nil {
		return fmt.Errorf("read RDS's certificate authorities: %w", err)
	}
	packages := filepath.Join(w.State, "package-"+tag)
	if err := Package(ctx, w.Repository, packages, ca); err != nil {
		return err
	}

	root := w.Root("aws", "aws-"+c.Environment)
	if _, err := root.Run(ctx, "init", "-input=false", "-no-color", "-reconfigure", "-backend-config=bucket="+c.State,
		"-backend-config=key="+c.Environment+".tfstate", "-backend-config=region="+want.Region); err != nil {
		return err
	}
	file, err := filepath.Abs(c.Vars)
	if err != nil {
		return fmt.Errorf("find variables: %w", err)
	}
	planFile := filepath.Join(w.State, "aws-"+c.Environment+".plan")
	if _, err := root.Run(ctx, "plan", "-input=false", "-no-color", "-var-file="+file, "-var=environment="+c.Environment,
		"-var=package_dir="+packages, "-var=image_tag="+tag, "-out="+planFile); err != nil {
		return err
	}
	plan, err := root.Run(ctx, "show", "-json", planFile)
	if err != nil {
		return err
	}
	changes, err := Changes(plan)
	if err != nil {
		return err
	}
	planned, err := Planned(plan)
	if err != nil {
		return err
	}
	cost, costs := AtRest(planned)
	var say strings.Builder
	for _, change := range changes {
		fmt.Fprintln(&say, change)
	}
	fmt.Fprintf(&say, "\nAt rest, by rounded list prices (a guide, not an offer):\n%s%8.0f USD a month\n", costs, cost)
	fmt.Fprintf(&say, "%d changes in account %s, %s, environment %s\n", len(changes), want.AccountID, want.Region, c.Environment)
	fmt.Fprint(out.Stderr, say.String())
	if c.PlanOnly || len(changes) == 0 {
		return out.Result(fmt.Sprintf("%d changes planned, none made", len(changes)), changes)
	}
	if err := confirm(os.Stdin, out.Stderr, c.Environment); err != nil {
		return err
	}
	if f, ok := out.Stderr.(*os.File); ok {
		root.Out = f
	}
	if _, err := root.Run(ctx, "apply", "-input=false", "-no-color", planFile); err != nil {
		return err
	}
	return out.Result("applied; docs/deploy.md goes on with the image, the migration and the first run", changes)
}

// check refuses every account and region but the expected ones.
func (t target) check(actual target) error {
	if t.AccountID == "" || t.Region == "" {
		return fmt.Errorf("%w: the variables must name account_id and region", ErrWrongTarget)
	}
	if actual != t {
		return fmt.Errorf("%w: these credentials are of account %s in %q, the variables say %s in %q", ErrWrongTarget,
			actual.AccountID, actual.Region, t.AccountID, t.Region)
	}
	return nil
}

// confirm reads the environment's name.
func confirm(in io.Reader, out io.Writer, environment string) error {
	fmt.Fprintf(out, "Type %s to apply: ", environment)
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the confirmation: %w", err)
	}
	if strings.TrimSpace(line) != environment {
		return ErrNotConfirmed
	}
	return nil
}

// commitOf is the commit's first 12 digits; what is not committed cannot be found again, so it is refused.
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
