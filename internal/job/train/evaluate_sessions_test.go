package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"kindred/internal/platform/program"
)

// click is a line of a log.
type click struct{ session, item, second int }

// mustClicks draws sessions that walk along a ring of items. They begin at second from.
func mustClicks(seed uint64, sessions, from int) (all []click) {
	const items = 40
	rng := rand.New(rand.NewPCG(seed, seed))
	for s := range sessions {
		at := rng.IntN(items)
		for i := range 2 + rng.IntN(5) {
			all = append(all, click{s, at, from + 100*s + i})
			at = (at + 1 + rng.IntN(3)) % items
		}
	}
	return all
}

// mustWriteClicks writes a log with other names for sessions and items.
func mustWriteClicks(t *testing.T, clicks []click, name func(kind string, n int) string) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("SessionId\tItemId\tTime\n")
	for _, c := range clicks {
		fmt.Fprintf(&text, "%s\t%s\t%d\n", name("session", c.session), name("item", c.item), c.second)
	}
	path := filepath.Join(t.TempDir(), "clicks.txt")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func evaluateSessions(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	code = program.Run(t.Context(), "train", Description, &Command{},
		append([]string{"evaluate-sessions", "--largest-dim", "16", "--epochs", "3"}, args...), &out, &problems)
	return code, out.String(), problems.String()
}

func mustEvaluateSessions(t *testing.T, train, test string) *SessionResult {
	t.Helper()
	code, stdout, stderr := evaluateSessions(t, "--train", train, "--test", test, "--json")
	var result SessionResult
	if _, err := program.ReadResult([]byte(stdout), &result); err != nil || code != 0 {
		t.Fatalf("exit %d, %v, %s", code, err, stderr)
	}
	return &result
}

func TestEvaluateSessionsCommand(t *testing.T) {
	t.Parallel()
	plain := func(kind string, n int) string { return fmt.Sprintf("%s %d", kind, n) }
	train := mustWriteClicks(t, mustClicks(1, 400, 0), plain)
	test := mustWriteClicks(t, append(mustClicks(2, 60, 100_000), click{1000, 7, 200_000}, click{1000, 99, 200_001}),
		plain)
	result := mustEvaluateSessions(t, train, test)
	var names []string
	for _, row := range result.Rows {
		names = append(names, row.Model)
		asked := 0
		for _, p := range row.ByPosition {
			asked += p.Questions
		}
		if !(row.MRR > 0 && row.MRR <= row.HitRate && row.HitRate <= 1) || asked != result.Questions ||
			row.Questions != result.Questions || row.Unseen.Questions > asked || row.Interval.MRR.Low > row.MRR ||
			(row.Ratio == nil) != (row.Model == RowKindred) {
			t.Errorf("row is %+v", row)
		}
	}
	want := []string{RowKindred, RowVMIS, RowItemToItem, RowSequentialRules, "popularity", "random"}
	if !slices.Equal(names, want) || result.Sessions != 400 || result.TestSessions != 61 || result.UnknownQuestions != 1 ||
		result.ValidationSessions != 80 {
		t.Errorf("rows %v, result %+v", names, result)
	}
	if kindred, random := result.Rows[0], result.Rows[5]; kindred.MRR < 2*random.MRR {
		t.Errorf("kindred's MRR@20 is %.4f, a random order's %.4f", kindred.MRR, random.MRR)
	}
	if code, stdout, stderr := evaluateSessions(t, "--train", train, "--test", test); code != 0 ||
		!strings.Contains(stdout, "vmis-knn") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}

// TestEvaluateSessionsForgetsNames gives sessions and items other names, and the lines another order.
func TestEvaluateSessionsForgetsNames(t *testing.T) {
	t.Parallel()
	train, test := mustClicks(3, 200, 0), mustClicks(4, 30, 100_000)
	rng := rand.New(rand.NewPCG(3, 3))
	shuffled := func(clicks []click) []click {
		clicks = slices.Clone(clicks)
		rng.Shuffle(len(clicks), func(i, j int) { clicks[i], clicks[j] = clicks[j], clicks[i] })
		return clicks
	}
	plain := func(_ string, n int) string { return fmt.Sprint(n) }
	other := func(kind string, n int) string { return fmt.Sprintf("%s/%x", kind, n*7919%997) }
	want := mustEvaluateSessions(t, mustWriteClicks(t, train, plain), mustWriteClicks(t, test, plain))
	got := mustEvaluateSessions(t, mustWriteClicks(t, shuffled(train), other), mustWriteClicks(t, shuffled(test), other))
	for _, r := range []*SessionResult{want, got} {
		for i := range r.Rows {
			r.Rows[i].Seconds, r.Rows[i].Tuning = 0, 0
		}
	}
	if !reflect.DeepEqual(want, got) {
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(got)
		t.Errorf("under other names:\n%s\nwant\n%s", b, a)
	}
}

func TestEvaluateSessionsRefuses(t *testing.T) {
	t.Parallel()
	plain := func(_ string, n int) string { return fmt.Sprint(n) }
	good := mustWriteClicks(t, mustClicks(5, 20, 0), plain)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"a file that is not there":  {[]string{"--train", good, "--test", filepath.Join(t.TempDir(), "absent")}, "absent"},
		"a file of another kind":    {[]string{"--train", "command.go", "--test", good}, "command.go: line 1"},
		"a dimension that is none":  {[]string{"--train", good, "--test", good, "--largest-dim", "1"}, "largest dimension"},
		"a number of passes of nil": {[]string{"--train", good, "--test", good, "--epochs", "0"}, "epochs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if code, _, stderr := evaluateSessions(t, test.args...); code != 2 || !strings.Contains(stderr, test.want) {
				t.Errorf("exit %d, %s, want 2 and %q", code, stderr, test.want)
			}
		})
	}
}

// TestEvaluateSessionsOnTinyLogs ends without a fault where there is next to nothing to learn or to ask.
func TestEvaluateSessionsOnTinyLogs(t *testing.T) {
	t.Parallel()
	plain := func(_ string, n int) string { return fmt.Sprint(n) }
	one := []click{{1, 1, 1}}
	for name, test := range map[string]struct{ train, test []click }{
		"one click":             {one, one},
		"one session":           {[]click{{1, 1, 1}, {1, 2, 2}}, []click{{1, 1, 5}, {1, 2, 6}}},
		"nothing known":         {mustClicks(6, 10, 0), []click{{1, 100, 1}, {1, 101, 2}}},
		"one item":              {[]click{{1, 1, 1}, {1, 1, 2}, {2, 1, 1}}, []click{{1, 1, 5}, {1, 1, 6}}},
		"test sessions too few": {mustClicks(7, 30, 0), one},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustEvaluateSessions(t, mustWriteClicks(t, test.train, plain), mustWriteClicks(t, test.test, plain))
		})
	}
}
