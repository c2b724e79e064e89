package console

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"kindred/internal/job/publish"
	"kindred/internal/model/sequential"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
)

// move is what a form asks to do with the live pointer.
type move struct {
	Action     string
	Version    string
	Title      string
	What       string // happens, in sentences
	Button     string
	Objections []string // of the gate
	NeedsForce bool
	NeedsShare bool
	NeedsName  bool // of an experiment, and what decides it
	Share      float64
	Name       string
	Outcome    vectorstore.Outcome
	Outcomes   []vectorstore.Outcome
	Back       string
	Problem    string // with what was sent
	Reason     string
}

// proposal describes a move before it is made.
func (s *server) proposal(ctx context.Context, action, id string) (move, error) {
	m := move{Action: action, Version: id, Back: "/models", Share: 10}
	if id != "" {
		m.Back = "/models/" + id
	}
	switch action {
	case actionPublish:
		if err := s.object(ctx, &m); err != nil {
			return m, err
		}
		m.Title, m.Button = "Make "+id+" live", "Make it live"
		m.What = "All sessions are answered by this version from the next event on. The version that is live now stays " +
			"loaded: rolling back returns to it. If this version is not loaded, it is loaded first."
	case actionCanary:
		if err := s.object(ctx, &m); err != nil {
			return m, err
		}
		m.Title, m.Button, m.NeedsShare = "Start "+id+" as a canary", "Start the canary", true
		m.What = fmt.Sprintf("It answers a share of the sessions, the live version the others. The canary ends by itself "+
			"after %d events that it could not answer within %s.", recommend.CanaryErrors, recommend.CanaryPeriod)
	case actionExperiment:
		if err := s.object(ctx, &m); err != nil {
			return m, err
		}
		m.Title, m.Button = "Start an experiment with "+id, "Start the experiment"
		m.NeedsShare, m.NeedsName, m.Share = true, true, 50
		m.Outcomes = []vectorstore.Outcome{vectorstore.OutcomeHits, vectorstore.OutcomeCarts, vectorstore.OutcomePurchases}
		m.What = fmt.Sprintf("A share of the visitors is answered by it, the others by the live version, and each keeps "+
			"what they got first. `publish experiment decide` ends it when the outcome says so, or after %d visitors. Only the "+
			"program starts one that is decided by revenue.", experimentVisitors)
	case actionEndExperiment:
		m.Title, m.Button, m.Back = "End the experiment", "End the experiment", "/outcome"
		m.What = "It ends without a decision: the live version answers all visitors again."
	case actionRollback:
		list, err := s.modelList(ctx)
		if err != nil {
			return m, err
		}
		if list.Previous == "" {
			return m, vectorstore.ErrNoPrevious
		}
		m.Title, m.Button = "Roll back to "+list.Previous, "Roll back"
		m.What = "Version " + list.Previous + " answers all sessions again, and " + list.Live + " becomes the one to go " +
			"back to. The gate is not asked; the version must answer."
	case actionEndCanary:
		m.Title, m.Button = "End the canary", "End the canary"
		m.What = "The live version answers all sessions again."
	default:
		return m, errUnknown
	}
	return m, nil
}

// object asks the gate about the move's version.
func (s *server) object(ctx context.Context, m *move) error {
	page, err := s.version(ctx, m.Version)
	if err == nil {
		m.Objections, err = s.from.db.Objections(ctx, m.Version, page.Report.Verdict)
	}
	m.NeedsForce = len(m.Objections) > 0
	return err
}

// The moves of the pointer.
const (
	actionPublish       = "publish"
	actionCanary        = "canary"
	actionExperiment    = "experiment"
	actionRollback      = "rollback"
	actionEndCanary     = "end-canary"
	actionEndExperiment = "end-experiment"
)

// What an experiment from a page has, as `publish experiment start` has it by default.
const (
	experimentError    = 0.05
	experimentVisitors = 20_000
)

// make starts the move that a form asks for, in a task. The problem says what is wrong with the form.
func (s *server) make(m *move, r *http.Request) (started task, problem string) {
	opts := vectorstore.PromoteOptions{Actor: s.actor, Reason: strings.TrimSpace(r.PostFormValue("reason")),
		Force: r.PostFormValue("force") == "yes"}
	m.Reason, m.Name = opts.Reason, strings.TrimSpace(r.PostFormValue("name"))
	m.Outcome = vectorstore.Outcome(r.PostFormValue("outcome"))
	const longest = 500
	switch {
	case opts.Reason == "" || len(opts.Reason) > longest:
		return task{}, "Say why, in at most 500 letters: the history records it."
	case m.NeedsForce && !opts.Force:
		return task{}, "The gate refuses this version. Overrule it, or leave it."
	}
	if m.NeedsShare {
		share, err := strconv.ParseFloat(r.PostFormValue("share"), 64)
		if err != nil || !(share > 0 && share < 100) {
			return task{}, "The share is a number of percent between 0 and 100."
		}
		m.Share = share
	}
	if m.NeedsName {
		if err := m.experiment().Check(); err != nil {
			return task{}, said(err) + "."
		}
	}
	started, ok := s.tasks.start(m.Title, m.Back, func(ctx context.Context) (string, error) {
		text, err := s.moved(ctx, *m, opts)
		return text, vectorstore.ExplainLock(err)
	})
	if !ok {
		return started, "Something else is being done: “" + started.Title + "”. Wait until it has ended."
	}
	return started, ""
}

// experiment is the one that the form describes.
func (m *move) experiment() vectorstore.Experiment {
	return vectorstore.Experiment{Name: m.Name, Treatment: m.Version, Share: m.Share / 100, Outcome: m.Outcome,
		Rule: sequential.Rule{Error: experimentError, MaxVisitors: experimentVisitors}}
}

// moved makes a move, and says what it has done.
func (s *server) moved(ctx context.Context, m move, opts vectorstore.PromoteOptions) (string, error) {
	store := publish.Database{Store: s.from.db}
	switch m.Action {
	case actionPublish:
		result, err := publish.Run(ctx, store, s.from.models, m.Version, opts)
		return "Version " + result.ModelVersion + " is live.", err
	case actionCanary:
		result, err := publish.Canary(ctx, store, s.from.models, m.Version, m.Share/100, opts)
		return fmt.Sprintf("Version %s answers %g %% of the sessions.", result.ModelVersion, 100*result.Share), err
	case actionExperiment:
		x, err := publish.StartExperiment(ctx, store, s.from.models, m.experiment(), opts)
		return fmt.Sprintf("Experiment %s runs: version %s answers %g %% of the visitors, %s the others.", x.Name,
			x.Treatment, 100*x.Share, x.Control), err
	case actionRollback:
		version, err := store.Rollback(ctx, opts)
		return "Version " + version + " is live again.", err
	case actionEndExperiment:
		x, err := publish.StopExperiment(ctx, store, opts)
		return "Experiment " + x.Name + " has ended: what is live answers all visitors.", err
	}
	version, err := store.StopCanary(ctx, opts)
	return "Version " + version + " is no longer a canary: the live version answers all sessions.", err
}
