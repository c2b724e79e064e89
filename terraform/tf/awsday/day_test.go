package awsday

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/terraform/tf/promotion"
)

var errBroken = errors.New("broken")

// double is an account on which one thing fails.
type double struct {
	fails   string // a step of the promotion, or an id
	blocks  string // this id waits for the end of the context
	began   chan struct{}
	hourly  float64
	held    int // how many attempts of the destroy leave something
	asked   []string
	destroy int
}

func (d *double) Estimate(context.Context) (float64, error) {
	if d.fails == "estimate" {
		return 0, errBroken
	}
	return d.hourly, nil
}

// steps are those of a promotion, in their order.
var steps = []string{"apply", "secret", "image", "schema", "fill", "chain", "ask", "smoke test", "alarm"}

func (d *double) Promote(ctx context.Context, note func(string, error)) error {
	for _, step := range steps {
		err := d.do(ctx, step)
		note(step, err)
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *double) Ask(ctx context.Context, id string) (string, error) {
	d.asked = append(d.asked, id)
	return "seen " + id, d.do(ctx, id)
}

func (d *double) do(ctx context.Context, what string) error {
	if what == d.blocks {
		close(d.began)
		<-ctx.Done()
		return ctx.Err()
	}
	if what == d.fails {
		return errBroken
	}
	return nil
}

func (d *double) Destroy(ctx context.Context) ([]string, error) {
	d.destroy++
	if ctx.Err() != nil {
		return []string{"everything"}, ctx.Err()
	}
	if d.destroy <= d.held {
		return []string{"aws_db_instance.this"}, errBroken
	}
	return nil, nil
}

// day is a run of the double.
func (d *double) day() (*Day, *[]Report) {
	var saved []Report
	return &Day{Account: d, Budget: 10, Out: io.Discard, Pause: time.Millisecond,
		Agree: func(string) error { return nil },
		Save: func(r Report) error {
			r.Answers = slices.Clone(r.Answers)
			saved = append(saved, r)
			return nil
		}}, &saved
}

func statuses(r Report) map[string]Status {
	all := map[string]Status{}
	for _, a := range r.Answers {
		all[a.ID] = a.Status
	}
	return all
}

// TestEverythingIsDestroyedWhateverFails lets each step and each question fail once. The report has the failure, what
// needs it is not reached, and everything is destroyed.
func TestEverythingIsDestroyedWhateverFails(t *testing.T) {
	t.Parallel()
	for _, fails := range slices.Concat([]string{""}, steps, questions()) {
		t.Run(fails, func(t *testing.T) {
			t.Parallel()
			d := &double{fails: fails, hourly: 0.3}
			day, saved := d.day()
			report, err := day.Run(t.Context())
			if d.destroy != 1 || len(report.Left) > 0 {
				t.Errorf("destroyed %d times, left %v", d.destroy, report.Left)
			}
			if (err != nil) != (fails != "") || (fails != "" && !errors.Is(err, ErrFailed)) {
				t.Errorf("error %v", err)
			}
			for _, a := range report.Answers {
				concerned := fails != "" && (a.ID == fails || a.by == fails)
				if concerned != (a.Status == Failed) || (concerned && !strings.Contains(a.Seen, errBroken.Error())) {
					t.Errorf("%s: %s %q", a.ID, a.Status, a.Seen)
				}
				if a.Status == NotReached && fails == "" {
					t.Errorf("%s is not reached: %s", a.ID, a.Seen)
				}
			}
			if last := (*saved)[len(*saved)-1]; last.Ended.IsZero() || statuses(last)[destroyed] != Passed {
				t.Errorf("the last report that was saved: %+v", last)
			}
			if first := (*saved)[0]; !first.Ended.IsZero() || !strings.Contains(first.Markdown(), "has not ended") {
				t.Error("the first report that was saved does not say that the day is running")
			}
		})
	}
}

// TestWhatNeedsAFailureIsNotAsked lets the promotion end early: nothing that needs its functions is asked.
func TestWhatNeedsAFailureIsNotAsked(t *testing.T) {
	t.Parallel()
	d := &double{fails: "schema", hourly: 0.3}
	day, _ := d.day()
	report, err := day.Run(t.Context())
	if !errors.Is(err, ErrFailed) || report.Promotion == "" {
		t.Errorf("error %v, the promotion's %q", err, report.Promotion)
	}
	want := []string{"settled", "conformance", restored}
	if !slices.Equal(d.asked, want) {
		t.Errorf("asked %v, want %v", d.asked, want)
	}
}

// TestABudgetThatIsTooSmallChangesNothing tries budgets around the least one.
func TestABudgetThatIsTooSmallChangesNothing(t *testing.T) {
	t.Parallel()
	const hourly = 2.0
	least := byUse + leastHours*hourly
	for budget, refused := range map[float64]bool{0: true, least - 0.01: true, least: false, 100: false} {
		d := &double{hourly: hourly}
		day, _ := d.day()
		day.Budget = budget
		_, err := day.Run(t.Context())
		if errors.Is(err, ErrBudget) != refused || refused != (d.destroy == 0) || refused != (len(d.asked) == 0) {
			t.Errorf("%.2f: %v, destroyed %d times", budget, err, d.destroy)
		}
	}
}

// TestNothingIsMadeWithoutAgreement neither makes nor destroys anything.
func TestNothingIsMadeWithoutAgreement(t *testing.T) {
	t.Parallel()
	for _, fails := range []string{"estimate", "agree"} {
		d := &double{hourly: 0.3, fails: fails}
		day, _ := d.day()
		day.Agree = func(string) error { return errBroken }
		if _, err := day.Run(t.Context()); !errors.Is(err, errBroken) || d.destroy+len(d.asked) > 0 {
			t.Errorf("%s: %v, %+v", fails, err, d)
		}
	}
}

// TestAnApplyThatNeverBeganIsNotDestroyed has a promotion that fails before it makes anything, as with another
// one's lock: what is there is not the day's.
func TestAnApplyThatNeverBeganIsNotDestroyed(t *testing.T) {
	t.Parallel()
	d := &double{hourly: 0.3}
	day, _ := d.day()
	day.Account = locked{d}
	if _, err := day.Run(t.Context()); err == nil || !strings.Contains(err.Error(), promotion.ErrAnotherApply.Error()) ||
		d.destroy > 0 {
		t.Errorf("%v, destroyed %d times", err, d.destroy)
	}
}

type locked struct{ *double }

func (locked) Promote(context.Context, func(string, error)) error { return promotion.ErrAnotherApply }

// TestAnInterruptAndTheEndOfTheTimeDestroy stops the day while a step or a question is under way.
func TestAnInterruptAndTheEndOfTheTimeDestroy(t *testing.T) {
	t.Parallel()
	for _, during := range []string{"apply", "chain", loaded, restored} {
		for _, byHand := range []bool{true, false} {
			d := &double{hourly: 0.3, blocks: during, began: make(chan struct{})}
			day, _ := d.day()
			ctx, stop := context.WithCancel(t.Context())
			if byHand {
				go func() { <-d.began; stop() }()
			} else {
				day.Most = 20 * time.Millisecond
			}
			report, err := day.Run(ctx)
			stop()
			if err == nil || report.Stopped == "" || d.destroy != 1 || len(report.Left) > 0 {
				t.Errorf("during %s, by hand %t: %v, stopped %q, destroyed %d times, left %v", during, byHand, err, report.Stopped,
					d.destroy, report.Left)
			}
			if !byHand && report.Stopped != ErrTime.Error() {
				t.Errorf("during %s: stopped by %q", during, report.Stopped)
			}
			if got := statuses(report)["schedule"]; got == Passed {
				t.Errorf("during %s: a question after the end is %s", during, got)
			}
		}
	}
}

// TestADestroyThatFailsIsTriedAgain says in the end what is left.
func TestADestroyThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	for held, ok := range map[int]bool{1: true, attempts - 1: true, attempts: false} {
		d := &double{hourly: 0.3, held: held}
		day, _ := d.day()
		report, err := day.Run(t.Context())
		if errors.Is(err, ErrLeft) == ok || (statuses(report)[destroyed] == Passed) != ok {
			t.Errorf("%d failures: %v, %s", held, err, statuses(report)[destroyed])
		}
		if !ok && (!strings.Contains(err.Error(), "aws_db_instance.this") ||
			!strings.Contains(report.Markdown(), "Left, and costs money:** aws_db_instance.this")) {
			t.Errorf("nobody says what is left: %v", err)
		}
	}
}

// TestAnEmulatorTellsNothingOfAWS marks what moto cannot answer, and asks it no such question.
func TestAnEmulatorTellsNothingOfAWS(t *testing.T) {
	t.Parallel()
	d := &double{hourly: 0.3}
	day, _ := d.day()
	day.Emulator = true
	report, err := day.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range report.Answers {
		if want := map[bool]Status{true: Passed, false: NeedsAWS}[a.emulated]; a.Status != want {
			t.Errorf("%s is %s, want %s", a.ID, a.Status, want)
		}
	}
	if want := []string{"settled", restored}; !slices.Equal(d.asked, want) {
		t.Errorf("asked %v, want %v", d.asked, want)
	}
}

// TestRowsAreComplete compares the table with what can answer it.
func TestRowsAreComplete(t *testing.T) {
	t.Parallel()
	if got := slices.Sorted(maps.Keys((&Environment{}).asks())); !slices.Equal(got, questions()) {
		t.Errorf("an environment answers %v, the table asks %v", got, questions())
	}
	seen := map[string]bool{}
	for _, row := range Rows() {
		if row.Question == "" || row.Expect == "" || row.Source == "" || seen[row.ID] {
			t.Errorf("row %s is incomplete, or there twice", row.ID)
		}
		if known := slices.Contains(append(steps, "", "destroy"), row.by); !known {
			t.Errorf("row %s: no step is named %q", row.ID, row.by)
		}
		for _, need := range row.needs {
			if !seen[need] {
				t.Errorf("row %s needs %s, which comes later or never", row.ID, need)
			}
		}
		seen[row.ID] = true
	}
}

// TestReportIsWrittenWhole reads both files.
func TestReportIsWrittenWhole(t *testing.T) {
	t.Parallel()
	d, folder := &double{hourly: 0.3, fails: "conformance"}, filepath.Join(t.TempDir(), "new")
	day, _ := d.day()
	day.Save = func(r Report) error { return r.Write(folder, "day") }
	report, _ := day.Run(t.Context())
	text, err := os.ReadFile(filepath.Join(folder, "day.json"))
	if err != nil {
		t.Fatal(err)
	}
	var read Report
	if err := json.Unmarshal(text, &read); err != nil || !maps.Equal(statuses(read), statuses(report)) {
		t.Errorf("%v: the file has %v", err, statuses(read))
	}
	page, err := os.ReadFile(filepath.Join(folder, "day.md"))
	if err != nil {
		t.Fatal(err)
	}
	if rows := strings.Count(string(page), "\n| `"); rows != len(Rows()) ||
		!strings.Contains(string(page), "| broken | failed |") {
		t.Errorf("the page has %d rows:\n%s", rows, page)
	}
}

// TestAReportThatCannotBeWrittenDestroysToo says so in the end.
func TestAReportThatCannotBeWrittenDestroysToo(t *testing.T) {
	t.Parallel()
	d := &double{hourly: 0.3}
	day, _ := d.day()
	day.Save = func(Report) error { return errBroken }
	if _, err := day.Run(t.Context()); !errors.Is(err, errBroken) || d.destroy != 1 {
		t.Errorf("%v, destroyed %d times", err, d.destroy)
	}
}
