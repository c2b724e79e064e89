// Package awsday is the day on which somebody has an AWS account: it makes an environment, asks everything that only
// AWS can tell (Rows), destroys the environment whatever happened, and writes a report. It owns the questions, the
// order, the bounds of money and time, and the report. What makes an environment belongs to package promotion.
package awsday

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

var (
	// ErrBudget says that the budget does not last for a day.
	ErrBudget = errors.New("the budget is too small")
	// ErrExists says that the environment is there already: it is not the day's to destroy.
	ErrExists = errors.New("the environment exists")
	// ErrNotAsked says that a question does not arise, or that something of the caller's is missing.
	ErrNotAsked = errors.New("not asked")
	// ErrFailed says that AWS's answers are not as expected.
	ErrFailed = errors.New("not everything is as expected")
	// ErrLeft says that the destroy left something, which costs money.
	ErrLeft = errors.New("not everything is destroyed")
	// ErrTime says that the time that the budget lasts is over.
	ErrTime = errors.New("the time is over")
)

// Account is an environment on AWS, which does not exist yet.
type Account interface {
	// Estimate returns what an hour costs in US dollars. It changes nothing. ErrExists: there is something already.
	Estimate(ctx context.Context) (hourly float64, err error)
	// Promote makes the environment, and calls note after each step of the promotion.
	Promote(ctx context.Context, note func(step string, err error)) error
	// Ask answers the row of that id: what was seen. ErrNotAsked: it could not be asked.
	Ask(ctx context.Context, id string) (seen string, err error)
	// Destroy deletes everything that Promote and Ask made, and returns what is left. It may be called again.
	Destroy(ctx context.Context) (left []string, err error)
}

// Bounds of a day.
const (
	mostHours   = 8
	leastHours  = 3    // an apply, the chain, the questions and the destroy of a small shop
	byUse       = 1.0  // US dollars for what is paid by use: tasks, requests, logs, the copy's storage
	destroyPart = 0.25 // of the time, at most destroyHour, is kept for the destroy
	destroyHour = time.Hour
	destroyTime = 3 * time.Hour // the destroy itself may take longer than what is kept for it
	attempts    = 3             // of the destroy
)

// Day is one run.
type Day struct {
	Account  Account
	Budget   float64       // US dollars
	Emulator bool          // the account is moto's
	Most     time.Duration // bounds the time besides the budget; 0 means 8 hours
	Pause    time.Duration // between two attempts to destroy; 0 means a minute
	// Agree asks the person who pays, who reads what it costs. An error ends the day before it begins.
	Agree func(terms string) error
	// Save is given the report after each answer.
	Save func(Report) error
	Out  io.Writer // where a person reads
}

// Run runs the day. The report is complete whatever happened. An error says that the day did not begin, that
// something is left, or that answers are not as expected. It is not safe to run two days of one environment at the
// same time; Terraform's lock refuses the second.
func (d *Day) Run(ctx context.Context) (Report, error) {
	hourly, err := d.Account.Estimate(ctx)
	if err != nil {
		return Report{}, err
	}
	limit, err := d.limit(hourly)
	if err != nil {
		return Report{}, err
	}
	if err := d.Agree(fmt.Sprintf("It costs about %.2f USD an hour, and %.2f by use. It ends after %v at the latest, "+
		"and destroys everything that it made. A guide, not an offer; AWS's bill counts.", hourly, byUse,
		limit.Round(time.Minute))); err != nil {
		return Report{}, err
	}
	r := &run{Day: d, report: Report{Emulator: d.Emulator, Budget: d.Budget, Hourly: hourly, Limit: limit.String(),
		Began: time.Now().UTC()}}
	for _, row := range Rows() {
		r.report.Answers = append(r.report.Answers, Answer{Row: row, Status: NotReached})
	}
	work, stop := context.WithTimeoutCause(ctx, limit-min(destroyHour, time.Duration(destroyPart*float64(limit))), ErrTime)
	defer stop()
	r.promote(work)
	r.ask(work)
	if cause := context.Cause(work); cause != nil {
		r.report.Stopped = cause.Error()
	}
	if r.made {
		r.destroy(context.WithoutCancel(ctx))
	}
	r.report.Ended = time.Now().UTC()
	r.save()
	return r.report, r.verdict()
}

// limit is how long the budget lasts, or an error if that is too short.
func (d *Day) limit(hourly float64) (time.Duration, error) {
	if least := byUse + leastHours*hourly; d.Budget < least {
		return 0, fmt.Errorf("%w: %.2f USD; %d hours cost about %.2f: give at least BUDGET=%.0f, or choose the profile "+
			"small in the variables. Nothing was changed", ErrBudget, d.Budget, leastHours, least, math.Ceil(least))
	}
	most := d.Most
	if most == 0 {
		most = mostHours * time.Hour
	}
	if hourly <= 0 {
		return most, nil
	}
	return min(most, time.Duration(min((d.Budget-byUse)/hourly, mostHours)*float64(time.Hour))), nil
}

// run is a day that has begun.
type run struct {
	*Day
	report Report
	made   bool  // something may exist
	unsaid error // the report could not be written
}

// promote makes the environment. Each step answers its rows.
func (r *run) promote(ctx context.Context) {
	began := time.Now()
	err := r.Account.Promote(ctx, func(step string, err error) {
		if step == "apply" { // not called if another apply was faster
			r.made = true
		}
		r.note(step, fmt.Sprintf("after %v", time.Since(began).Round(time.Second)), err)
	})
	if err != nil {
		r.say("the promotion: %v", err)
		r.report.Promotion = err.Error()
	}
}

// note answers the rows of a step. A step that is noted twice is as good as its worst.
func (r *run) note(step, seen string, err error) {
	for i, a := range r.report.Answers {
		if a.by == step && a.Status != Failed {
			r.answer(i, seen, err)
		}
	}
}

// ask asks the Account what the promotion did not answer.
func (r *run) ask(ctx context.Context) {
	for i, a := range r.report.Answers {
		if a.by != "" || ctx.Err() != nil {
			continue
		}
		if lacks := r.lacks(a.needs); lacks != "" {
			r.report.Answers[i].Seen = "it needs " + lacks
			continue
		}
		if r.Emulator && !a.emulated {
			r.answer(i, "", nil)
			continue
		}
		r.say("%s: %s", a.ID, a.Question)
		began := time.Now()
		seen, err := r.Account.Ask(ctx, a.ID)
		if ctx.Err() != nil && err != nil {
			err = fmt.Errorf("%w (%w)", context.Cause(ctx), err)
		}
		r.answer(i, strings.TrimSpace(fmt.Sprintf("%s (%v)", seen, time.Since(began).Round(time.Second))), err)
	}
}

// lacks returns the first of the rows that has not been answered well.
func (r *run) lacks(needs []string) string {
	for _, a := range r.report.Answers {
		if slices.Contains(needs, a.ID) && a.Status != Passed && a.Status != NeedsAWS {
			return a.ID
		}
	}
	return ""
}

func (r *run) answer(i int, seen string, err error) {
	a := &r.report.Answers[i]
	a.Status, a.Seen = Passed, seen
	switch {
	case errors.Is(err, ErrNotAsked):
		a.Status, a.Seen = NotReached, err.Error()
	case err != nil:
		a.Status, a.Seen = Failed, err.Error()
	case r.Emulator && !a.emulated:
		a.Status, a.Seen = NeedsAWS, "an emulator cannot tell"
	}
	r.say("%s: %s %s", a.ID, a.Status, a.Seen)
	r.save()
}

// destroy deletes everything, and tries again what failed.
func (r *run) destroy(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, destroyTime)
	defer stop()
	var left []string
	var err error
	for n := 1; n <= attempts; n++ {
		r.say("destroy everything, attempt %d of %d. It takes up to 40 minutes: do not end it, and leave the machine on", n,
			attempts)
		if left, err = r.Account.Destroy(ctx); err == nil && len(left) == 0 {
			break
		}
		r.say("destroy: %v; %d things are left", err, len(left))
		if n < attempts {
			r.rest(ctx)
		}
	}
	r.report.Left = left
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%w: %s", ErrLeft, strings.Join(left, ", "))
	}
	if err != nil && len(left) == 0 {
		r.report.Left = []string{"unknown: " + err.Error()}
	}
	r.note("destroy", "", err)
}

func (r *run) rest(ctx context.Context) {
	pause := r.Pause
	if pause == 0 {
		pause = time.Minute
	}
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// verdict is the worst of what happened.
func (r *run) verdict() error {
	err := r.unsaid
	if r.report.Stopped != "" {
		err = errors.Join(err, fmt.Errorf("the day ended early: %s", r.report.Stopped))
	}
	var failed []string
	for _, a := range r.report.Answers {
		if a.Status == Failed {
			failed = append(failed, a.ID)
		}
	}
	if len(failed) > 0 {
		err = errors.Join(err, fmt.Errorf("%w: %s", ErrFailed, strings.Join(failed, ", ")))
	}
	if r.report.Promotion != "" {
		err = errors.Join(err, fmt.Errorf("the promotion: %s", r.report.Promotion))
	}
	if len(r.report.Left) > 0 {
		err = errors.Join(fmt.Errorf("%w, AND COSTS MONEY: %s. Run it again with --only-destroy, or see docs/deploy.md, Back",
			ErrLeft, strings.Join(r.report.Left, ", ")), err)
	}
	return err
}

func (r *run) save() {
	if err := r.Save(r.report); err != nil && r.unsaid == nil {
		r.unsaid = err
		r.say("the report cannot be written: %v", err)
	}
}

func (r *run) say(format string, args ...any) { fmt.Fprintf(r.Out, format+"\n", args...) }
