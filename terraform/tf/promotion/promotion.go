package promotion

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// Promotion brings packages to one environment: a plan, a confirmation, the apply, the image, the
// database's schema, the smoke test. When something fails after the apply, the functions' alias
// goes back to the versions that it called before.
type Promotion struct {
	Root        *Root // terraform/aws, initialised with the environment's state
	AWS         aws.Config
	Environment string
	Account     string // as shown; the provider and the caller refuse every other
	Vars        string // file of the environment's variables
	Packages    string // folder that Package filled
	Tag         string // of the image
	PlanOnly    bool
	// run the chain before the smoke test, though this is not the first promotion
	Chain    bool
	Smoke    func(ctx context.Context, env []string) error // tests the environment that env, NAME=value, names
	Registry http.RoundTripper                             // reaches the image's registry; nil is HTTP's default
	// between questions whether a task or a chain has ended; 0 is 10 s
	Probe time.Duration
	In    io.Reader // where the confirmation is typed
	Out   io.Writer // where people read
}

// defaultProbe is rare enough for the quotas of ECS and Step Functions, which a second promotion shares.
const defaultProbe = 10 * time.Second

// outputs are those of terraform/aws.
type outputs struct {
	Environment map[string]string
	Functions   struct {
		Recommend, Serve struct{ Name string }
		Alias            string
	}
	Batch struct {
		Chain           struct{ ARN string }
		Cluster         string
		Tasks           map[string]string
		RepositoryURL   string   `json:"repository_url"`
		SubnetIDs       []string `json:"subnet_ids"`
		SecurityGroupID string   `json:"security_group_id"`
	}
}

// Run promotes and returns what the plan changed.
func (p *Promotion) Run(ctx context.Context) ([]Change, error) {
	changes, planFile, err := p.plan(ctx)
	if err != nil || p.PlanOnly {
		return changes, err
	}
	if len(changes) > 0 {
		if err := p.confirm(); err != nil {
			return nil, err
		}
	}
	before, err := p.outputs(ctx)
	if err != nil {
		return nil, err
	}
	versions, err := p.versions(ctx, before)
	if err != nil {
		return nil, err
	}
	if len(changes) > 0 {
		p.say("apply %d changes", len(changes))
		applying := *p.Root
		applying.Out, _ = p.Out.(*os.File) // a person sees it; it can take half an hour
		if _, err := applying.Run(ctx, "apply", "-input=false", "-no-color", planFile); err != nil {
			if anotherApply(err) {
				return nil, err // nothing was applied, and the alias is the other's
			}
			return changes, p.back(ctx, before, versions, err)
		}
	}
	after, err := p.outputs(ctx)
	if err == nil {
		err = p.release(ctx, after, len(versions) == 0)
	}
	if err != nil {
		return changes, p.back(ctx, before, versions, err)
	}
	return changes, nil
}

// anotherApply reports that Terraform refused, because another apply holds the state's lock or came first.
func anotherApply(err error) bool {
	return strings.Contains(err.Error(), "Error acquiring the state lock") ||
		strings.Contains(err.Error(), "Saved plan is stale")
}

// plan plans, and shows what would change and what the environment costs.
func (p *Promotion) plan(ctx context.Context) (changes []Change, file string, err error) {
	file = p.Packages + "-" + p.Environment + ".plan"
	if _, err := p.Root.Run(ctx, "plan", "-input=false", "-no-color", "-var-file="+p.Vars,
		"-var=environment="+p.Environment,
		"-var=package_dir="+p.Packages, "-var=image_tag="+p.Tag, "-out="+file); err != nil {
		return nil, "", err
	}
	plan, err := p.Root.Run(ctx, "show", "-json", file)
	if err != nil {
		return nil, "", err
	}
	if changes, err = Changes(plan); err != nil {
		return nil, "", err
	}
	planned, err := Planned(plan)
	if err != nil {
		return nil, "", err
	}
	cost, costs := AtRest(planned)
	for _, change := range changes {
		fmt.Fprintln(p.Out, change)
	}
	fmt.Fprintf(p.Out, "\nAt rest, by rounded list prices (a guide, not an offer):\n%s%8.0f USD a month\n", costs, cost)
	fmt.Fprintf(p.Out, "%d changes in account %s, %s, environment %s\n", len(changes), p.Account, p.AWS.Region,
		p.Environment)
	return changes, file, nil
}

// confirm reads the environment's name.
func (p *Promotion) confirm() error {
	fmt.Fprintf(p.Out, "Type %s to apply: ", p.Environment)
	line, err := bufio.NewReader(p.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the confirmation: %w", err)
	}
	if strings.TrimSpace(line) != p.Environment {
		return ErrNotConfirmed
	}
	return nil
}

// outputs reads them from the state; before the first apply all are zero.
func (p *Promotion) outputs(ctx context.Context) (o outputs, err error) {
	text, err := p.Root.Run(ctx, "output", "-json")
	if err != nil {
		return o, err
	}
	var raw struct {
		Environment, Functions, Batch struct{ Value json.RawMessage }
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return o, fmt.Errorf("read outputs: %w", err)
	}
	for value, target := range map[*json.RawMessage]any{&raw.Environment.Value: &o.Environment,
		&raw.Functions.Value: &o.Functions, &raw.Batch.Value: &o.Batch} {
		if len(*value) == 0 {
			continue
		}
		if err := json.Unmarshal(*value, target); err != nil {
			return o, fmt.Errorf("read outputs: %w", err)
		}
	}
	return o, nil
}

// versions are those that the alias of each function calls, by function; none before the first apply.
func (p *Promotion) versions(ctx context.Context, o outputs) (map[string]string, error) {
	versions := map[string]string{}
	for _, function := range []string{o.Functions.Recommend.Name, o.Functions.Serve.Name} {
		if function == "" {
			continue
		}
		alias, err := lambda.NewFromConfig(p.AWS).GetAlias(ctx,
			&lambda.GetAliasInput{FunctionName: &function, Name: &o.Functions.Alias})
		var absent *types.ResourceNotFoundException
		if errors.As(err, &absent) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read alias %s of %s: %w", o.Functions.Alias, function, err)
		}
		versions[function] = aws.ToString(alias.FunctionVersion)
	}
	return versions, nil
}

// release is what follows an apply. first says that no function was there before, hence no model either.
func (p *Promotion) release(ctx context.Context, o outputs, first bool) error {
	p.say("push image %s:%s", o.Batch.RepositoryURL, p.Tag)
	if err := p.push(ctx, o.Batch.RepositoryURL); err != nil {
		return err
	}
	p.say("migrate the vector database")
	if err := p.runTask(ctx, o, "publish", "/publish", "migrate", "--json"); err != nil {
		return fmt.Errorf("migrate the vector database: %w", err)
	}
	if first || p.Chain {
		p.say("run etl, train and publish")
		if err := p.runChain(ctx, o.Batch.Chain.ARN); err != nil {
			return err
		}
	}
	p.say("smoke test")
	env := []string{"SERVE_FUNCTION=" + o.Functions.Serve.Name + ":" + o.Functions.Alias}
	for name, value := range o.Environment {
		env = append(env, name+"="+value)
	}
	if err := p.Smoke(ctx, env); err != nil {
		return fmt.Errorf("smoke test: %w", err)
	}
	return nil
}

// backTime is how long moving the aliases back may take, when the promotion itself was interrupted.
const backTime = time.Minute

// back makes the alias call the versions that it called before, and returns the error that was the reason.
func (p *Promotion) back(ctx context.Context, o outputs, versions map[string]string, reason error) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), backTime)
	defer stop()
	if len(versions) == 0 {
		return fmt.Errorf("%w; this environment had no functions before, so nothing goes back", reason)
	}
	for function, version := range versions {
		_, err := lambda.NewFromConfig(p.AWS).UpdateAlias(ctx,
			&lambda.UpdateAliasInput{FunctionName: &function, Name: &o.Functions.Alias, FunctionVersion: &version})
		if err != nil {
			reason = errors.Join(reason, fmt.Errorf("move alias %s of %s back to version %s: %w", o.Functions.Alias, function,
				version, err))
			continue
		}
		p.say("%s: alias %s calls version %s again", function, o.Functions.Alias, version)
	}
	return fmt.Errorf("%w: %w", ErrTakenBack, reason)
}

func (p *Promotion) say(format string, args ...any) { fmt.Fprintf(p.Out, format+"\n", args...) }

// smoke runs the smoke test against an environment.
func smoke(ctx context.Context, repository string, env []string) error {
	test := exec.CommandContext(ctx, "go", "test", "./integration", "-run", "TestSmoke", "-count=1", "-v")
	test.Dir = repository
	test.Env = append(append(os.Environ(), "KINDRED_SERVICES=deployed"), env...)
	out, err := test.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, tail(string(out)))
	}
	return nil
}
