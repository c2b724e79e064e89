package awsday

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"kindred/terraform/tf/promotion"
)

// Environment is the Account that a promotion makes.
type Environment struct {
	Promotion *promotion.Promotion
	Programs  string        // folder of replay and verify
	Work      string        // folder for the events of the load
	Events    int           // of the load
	Rate      int           // events per second
	Shop      string        // that the events name; "": none
	Glue      bool          // the chain has a Glue job
	Probe     time.Duration // between two looks; 0 means 20 s
	// Conform writes the column AWS of docs/parity.md.
	Conform func(ctx context.Context) (string, error)

	copied string // identifier of the restored instance, and of its snapshot; "": none
}

// NewEnvironment is the account of a promotion that has not run.
func NewEnvironment(p *promotion.Promotion) *Environment { return &Environment{Promotion: p} }

// hoursOfMonth are those by which promotion.Cost counts.
const hoursOfMonth = 730

// Estimate plans, and refuses an environment that has anything in its state.
func (e *Environment) Estimate(ctx context.Context) (float64, error) {
	held, err := e.Promotion.Held(ctx)
	if err != nil {
		return 0, err
	}
	if len(held) > 0 {
		return 0, fmt.Errorf("%w: the state of %s has %d resources. The day destroys everything at its end, so choose "+
			"another ENV; if an earlier day left them, run it with --only-destroy", ErrExists, e.Promotion.Environment,
			len(held))
	}
	changes, cost, err := e.Promotion.Plan(ctx)
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(e.Promotion.Out, "%d resources in account %s, %s, environment %s. When nobody uses them (%s):\n%s",
		len(changes), e.Promotion.Account, e.Promotion.AWS.Region, e.Promotion.Environment, cost.Note, cost)
	// The restored database is another instance, at most as large as both that there are.
	return (cost.Total + cost.Lines["db_instance"]) / hoursOfMonth, nil
}

// Promote promotes, and fills the shop if it is new.
func (e *Environment) Promote(ctx context.Context, note func(string, error)) error {
	p := *e.Promotion
	p.Note, p.Fill = note, e.fill
	p.In = strings.NewReader(p.Environment + "\n") // Agree has asked
	_, err := p.Run(ctx)
	return err
}

// fill runs seed in the network, with the login and the place of etl.
func (e *Environment) fill(ctx context.Context, o promotion.Outputs) error {
	if o.Batch.Tasks["etl"] == "" {
		return errors.New("the shop has no task that could fill it (etl_workers is set): leave etl_workers out, or give " +
			"existing_source_database")
	}
	_, err := e.Promotion.RunTask(ctx, o, "etl", "/seed", "generate", "--scale", "1", "--lake", "file:///tmp/planted",
		"--json")
	return err
}

// asks are the questions, by the row's id.
func (e *Environment) asks() map[string]func(context.Context, promotion.Outputs) (string, error) {
	return map[string]func(context.Context, promotion.Outputs) (string, error){
		"glue-credentials": e.glue, "cold-start": e.coldStart, "unsigned": e.unsigned, "front": e.front,
		"alarm-person": e.person, "settled": e.settled, "conformance": e.conformance, loaded: e.load,
		"connections": e.connections, "quiet": e.quiet, restored: e.restore, "restored-data": e.compare,
		"schedule": e.schedule,
	}
}

// Ask answers the row of that id.
func (e *Environment) Ask(ctx context.Context, id string) (string, error) {
	ask, found := e.asks()[id]
	if !found {
		return "", fmt.Errorf("%w: nobody knows how to answer %s", ErrNotAsked, id)
	}
	o, err := e.Promotion.Outputs(ctx)
	if err != nil {
		return "", err
	}
	return ask(ctx, o)
}

// Destroy deletes the restored database with its snapshot, and what Terraform made.
func (e *Environment) Destroy(ctx context.Context) (left []string, err error) {
	// Before Terraform, because both are in the environment's network and encrypted with its key.
	left, copied := e.uncopy(ctx)
	err = errors.Join(copied, e.Promotion.Destroy(ctx))
	held, unknown := e.Promotion.Held(ctx)
	return append(left, held...), errors.Join(err, unknown)
}

// settled plans again.
func (e *Environment) settled(ctx context.Context, _ promotion.Outputs) (string, error) {
	changes, _, err := e.Promotion.Plan(ctx)
	if err != nil {
		return "", err
	}
	if len(changes) > 0 {
		return "", fmt.Errorf("%w: a second plan would change %v", promotion.ErrChanges, changes)
	}
	return "no change", nil
}

func (e *Environment) conformance(ctx context.Context, _ promotion.Outputs) (string, error) {
	if e.Conform == nil {
		return "", fmt.Errorf("%w: set CONFORMANCE_AWS_AGREED and CONFORMANCE_AWS_BUDGET_TAG "+
			"(integration/conformance/README.md)", ErrNotAsked)
	}
	return e.Conform(ctx)
}

func (e *Environment) glue(context.Context, promotion.Outputs) (string, error) {
	if !e.Glue {
		return "", fmt.Errorf("%w: the variables have no etl_workers and no spark with always", ErrNotAsked)
	}
	return "the chain has run the Glue jobs", nil // the row needs the chain's success
}

// person looks who has not confirmed.
func (e *Environment) person(ctx context.Context, o promotion.Outputs) (string, error) {
	mails := e.Promotion.Mails
	if len(mails) == 0 {
		return "", fmt.Errorf("%w: alarm_emails is empty", ErrNotAsked)
	}
	pending, err := e.Promotion.Pending(ctx, o.Reach.Topic)
	if err != nil {
		return "", err
	}
	if len(pending) > 0 {
		return "", fmt.Errorf("%w: %d of %d addresses", promotion.ErrUnconfirmed, len(pending), len(mails))
	}
	return fmt.Sprintf("all %d addresses have confirmed", len(mails)), nil
}

// quiet looks at the alarms that a bad version raises.
func (e *Environment) quiet(ctx context.Context, o promotion.Outputs) (string, error) {
	raised, err := e.Promotion.AlarmsRaised(ctx, o)
	if err != nil {
		return "", err
	}
	if len(raised) > 0 {
		return "", fmt.Errorf("%w: %s", promotion.ErrAlarm, strings.Join(raised, ", "))
	}
	return fmt.Sprintf("none of %d alarms is raised", len(o.Alarms)), nil
}

// wait waits until it is time to look again.
func (e *Environment) wait(ctx context.Context) error {
	probe := e.Probe
	if probe == 0 {
		probe = 20 * time.Second
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(probe):
		return nil
	}
}

// program is the path of one of this repository's programs.
func (e *Environment) program(name string) string { return filepath.Join(e.Programs, name) }
