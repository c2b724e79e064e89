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

// Promotion promotes packages to one environment: a plan, a confirmation, the apply, the image, the
// database's schema, an answer of each function's new version, a share of the calls while alarms are
// watched, all of the calls, the smoke test. If an alarm is raised or the smoke test fails, the aliases
// return to the versions that they called before. A promotion that broke off continues where it was when it
// is run again.
type Promotion struct {
	Root        *Root // terraform/aws, initialised with the environment's state
	AWS         aws.Config
	Environment string
	Account     string   // only shown; the provider and the caller refuse every other account
	Vars        string   // file with the environment's variables
	More        []string // more arguments of terraform plan
	Packages    string   // folder that Package filled
	Tag         string   // of the image
	PlanOnly    bool
	Chain       bool // run the chain even if this is not the first promotion
	EmptyShop   bool // the environment makes the shop's MySQL itself, so a first promotion finds nothing to train on
	// Ask invokes a version of a function before the alias moves to it. nil asks Lambda.
	Ask func(ctx context.Context, function, version, question string) error
	// Raised returns which of the named alarms are raised. nil asks CloudWatch.
	Raised func(ctx context.Context, alarms []string) ([]string, error)
	// Alert raises an alarm, and waits until it was sent. nil raises one of CloudWatch.
	Alert func(ctx context.Context, alarm string) error
	Mails []string      // who should get alarms
	Watch time.Duration // how long a share of the calls meets new versions before all do; 0 means 10 minutes
	// Smoke tests the environment. env contains the variables of the test, as NAME=value.
	Smoke func(ctx context.Context, env []string) error
	// Fill fills the shop that the environment makes, in its first promotion, between the schema and the chain. nil:
	// the promotion of an empty shop ends after the schema.
	Fill func(ctx context.Context, o Outputs) error
	// Note is told of each step of the table in docs/deploy.md that ended, and how. nil: nobody is told.
	Note     func(step string, err error)
	Registry http.RoundTripper // transport to the image's registry; nil means the default
	Probe    time.Duration     // between two looks at a running task or chain; 0 means 10 s
	In       io.Reader         // where a person types the confirmation
	Out      io.Writer         // where a person reads
}

// defaultProbe respects the quotas of ECS and Step Functions, which are per account.
const defaultProbe = 10 * time.Second

// Outputs are the outputs of terraform/aws.
type Outputs struct {
	Environment map[string]string
	Functions   struct {
		Recommend, Serve struct{ Name, Version, URL string }
		Alias            string
	}
	Batch struct {
		Chain          struct{ ARN string }
		Cluster        string
		Tasks          map[string]string
		RepositoryURL  string            `json:"repository_url"`
		SubnetIDs      []string          `json:"subnet_ids"`
		Public         bool              // the tasks have a public address
		SecurityGroups map[string]string `json:"security_groups"` // by program
	}
	Vectors     struct{ Identifier, DSN string } // the vector database's instance, and its address without a login
	Front       string                           // address of the REST API; "": none
	Reach       struct{ Topic, Alarm string }    // of the alarms; and the alarm that tests the way
	EraseSecret string                           // ARN
	Alarms      []string                         // names of the alarms that a bad version of a function raises
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
	before, err := p.Outputs(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.confirmed(ctx, before); err != nil {
		return nil, err
	}
	versions, err := p.versions(ctx, before)
	if err != nil {
		return nil, err
	}
	if len(changes) > 0 {
		p.say("apply %d changes", len(changes))
		applying := *p.Root
		applying.Out, _ = p.Out.(*os.File) // a person watches it, because it can take half an hour
		if _, err := applying.Run(ctx, "apply", "-input=false", "-no-color", planFile); err != nil {
			if anotherApply(err) {
				return nil, fmt.Errorf("%w: %w", ErrAnotherApply, err)
			}
			return changes, p.did("apply", err)
		}
		_ = p.did("apply", nil)
	}
	after, err := p.Outputs(ctx)
	if err != nil {
		return changes, err
	}
	first := len(versions) == 0
	if first && p.EmptyShop && !p.Chain && p.Fill == nil {
		return changes, p.found(ctx, after)
	}
	if err := p.prepare(ctx, after, first); err != nil {
		if !first {
			err = fmt.Errorf("%w; alias %s calls the previous versions", err, after.Functions.Alias)
		}
		return changes, err
	}
	if err := p.release(ctx, after, versions); err != nil {
		return changes, p.back(ctx, after, versions, err)
	}
	return changes, p.did("alarm", p.reach(ctx, after))
}

// did tells Note of a step, and returns its error.
func (p *Promotion) did(step string, err error) error {
	if p.Note != nil {
		p.Note(step, err)
	}
	return err
}

// anotherApply reports whether Terraform refused because another apply holds the lock or came first.
func anotherApply(err error) bool {
	return strings.Contains(err.Error(), "Error acquiring the state lock") ||
		strings.Contains(err.Error(), "Saved plan is stale")
}

// plan plans, and shows the changes and what the environment costs.
func (p *Promotion) plan(ctx context.Context) (changes []Change, file string, err error) {
	changes, cost, file, err := p.planned(ctx)
	if err != nil {
		return nil, "", err
	}
	for _, change := range changes {
		fmt.Fprintln(p.Out, change)
	}
	fmt.Fprintf(p.Out, "\nWhen nobody uses it (a guide, not an offer; %s):\n%s", cost.Note, cost)
	fmt.Fprintf(p.Out, "%d changes in account %s, %s, environment %s\n", len(changes), p.Account, p.AWS.Region,
		p.Environment)
	return changes, file, nil
}

// planned plans, and says what the environment will cost.
func (p *Promotion) planned(ctx context.Context) (changes []Change, cost Cost, file string, err error) {
	file = p.Packages + "-" + p.Environment + ".plan"
	if _, err := p.Root.Run(ctx, append(append([]string{"plan", "-input=false", "-no-color", "-out=" + file},
		p.arguments()...), p.More...)...); err != nil {
		return nil, cost, "", err
	}
	plan, err := p.Root.Run(ctx, "show", "-json", file)
	if err != nil {
		return nil, cost, "", err
	}
	if changes, err = Changes(plan); err != nil {
		return nil, cost, "", err
	}
	cost, err = AtRest(plan, p.AWS.Region)
	return changes, cost, file, err
}

// arguments are those of every plan, apply and destroy of the environment.
func (p *Promotion) arguments() []string {
	return []string{"-var-file=" + p.Vars, "-var=environment=" + p.Environment, "-var=package_dir=" + p.Packages,
		"-var=image_tag=" + p.Tag}
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

// Outputs reads the outputs from the state. Before the first apply they are empty.
func (p *Promotion) Outputs(ctx context.Context) (o Outputs, err error) {
	text, err := p.Root.Run(ctx, "output", "-json")
	if err != nil {
		return o, err
	}
	var raw struct {
		Environment, Functions, Batch, Alarms struct{ Value json.RawMessage }
		EraseSecret                           struct{ Value json.RawMessage } `json:"erase_secret"`
		Reach, Vectors, Front                 struct{ Value json.RawMessage }
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return o, fmt.Errorf("read outputs: %w", err)
	}
	for value, target := range map[*json.RawMessage]any{&raw.Environment.Value: &o.Environment,
		&raw.Functions.Value: &o.Functions, &raw.Batch.Value: &o.Batch,
		&raw.Alarms.Value: &o.Alarms, &raw.EraseSecret.Value: &o.EraseSecret,
		&raw.Reach.Value: &o.Reach, &raw.Vectors.Value: &o.Vectors, &raw.Front.Value: &o.Front} {
		if len(*value) == 0 {
			continue
		}
		if err := json.Unmarshal(*value, target); err != nil {
			return o, fmt.Errorf("read outputs: %w", err)
		}
	}
	return o, nil
}

// versions returns the version that the alias calls, by function. Before the first apply it is empty.
func (p *Promotion) versions(ctx context.Context, o Outputs) (map[string]string, error) {
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

// install brings the secret, the image and the schema.
func (p *Promotion) install(ctx context.Context, o Outputs) error {
	if err := p.did("secret", p.fill(ctx, o.EraseSecret)); err != nil {
		return err
	}
	p.say("push image %s:%s", o.Batch.RepositoryURL, p.Tag)
	if err := p.did("image", p.push(ctx, o.Batch.RepositoryURL)); err != nil {
		return err
	}
	p.say("migrate the vector database")
	if _, err := p.RunTask(ctx, o, "publish", "/publish", "migrate", "--json"); p.did("schema", err) != nil {
		return fmt.Errorf("migrate the vector database: %w", err)
	}
	return nil
}

// found ends the first promotion of an environment whose shop is still empty: there is no model to answer
// with, and nothing to train one on.
func (p *Promotion) found(ctx context.Context, o Outputs) error {
	if err := p.install(ctx, o); err != nil {
		return err
	}
	p.say("The shop's MySQL is new and empty, so there is nothing to train on yet. Fill it from inside the network, " +
		"then promote again with --chain.")
	return nil
}

// prepare does the steps between the apply and the move of the alias. first says that the environment had
// no functions before, and so no model.
func (p *Promotion) prepare(ctx context.Context, o Outputs, first bool) error {
	if err := p.install(ctx, o); err != nil {
		return err
	}
	if first && p.EmptyShop && p.Fill != nil {
		p.say("fill the shop")
		if err := p.did("fill", p.Fill(ctx, o)); err != nil {
			return fmt.Errorf("fill the shop: %w", err)
		}
	}
	if first || p.Chain {
		p.say("run etl, train and publish")
		if err := p.did("chain", p.runChain(ctx, o.Batch.Chain.ARN)); err != nil {
			return err
		}
	}
	ask := p.Ask
	if ask == nil {
		ask = p.ask
	}
	questions := map[string]string{o.Functions.Recommend.Name: noRecords, o.Functions.Serve.Name: health}
	for function, version := range o.newest() {
		p.say("ask version %s of %s", version, function)
		if err := ask(ctx, function, version, questions[function]); p.did("ask", err) != nil {
			return fmt.Errorf("ask version %s of %s: %w", version, function, err)
		}
	}
	return nil
}

// newest returns the version of the newest code, by function.
func (o Outputs) newest() map[string]string {
	return map[string]string{o.Functions.Recommend.Name: o.Functions.Recommend.Version,
		o.Functions.Serve.Name: o.Functions.Serve.Version}
}

// release moves the aliases to the newest versions, and runs the smoke test. versions are those that the
// aliases call.
func (p *Promotion) release(ctx context.Context, o Outputs, versions map[string]string) error {
	to := map[string]string{}
	for function, version := range o.newest() {
		// Otherwise Terraform has made the alias, or it was moved already.
		if called, found := versions[function]; found && called != version {
			to[function] = version
		}
	}
	if err := p.did("share", p.shift(ctx, o, versions, to)); err != nil {
		return err
	}
	p.say("smoke test")
	env := []string{"SERVE_FUNCTION=" + o.Functions.Serve.Name + ":" + o.Functions.Alias,
		"SERVE_URL=" + o.Functions.Serve.URL}
	for name, value := range o.Environment {
		env = append(env, name+"="+value)
	}
	if err := p.did("smoke test", p.Smoke(ctx, env)); err != nil {
		return fmt.Errorf("smoke test: %w", err)
	}
	return nil
}

// backTime is how long moving the aliases back may take, even after an interrupt.
const backTime = time.Minute

// back makes the aliases call the versions that it called before. It returns reason, and its own errors.
func (p *Promotion) back(ctx context.Context, o Outputs, versions map[string]string, reason error) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), backTime)
	defer stop()
	if len(versions) == 0 {
		return fmt.Errorf("%w; the environment had no functions before, so there was nothing to roll back", reason)
	}
	for function, version := range versions {
		if err := p.move(ctx, function, o.Functions.Alias, version); err != nil {
			reason = errors.Join(reason, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrRolledBack, reason)
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
