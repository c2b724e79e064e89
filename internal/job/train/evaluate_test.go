package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/platform/program"
)

// mustSplit writes a generated shop's likes as a public split: four in five of each customer's known.
func mustSplit(t *testing.T) (train, test string) {
	t.Helper()
	_, data := mustShop(t, 0.05)
	likes := evaluation.NewPairs(len(data.Customers), len(data.Products), DefaultConfig().Positives(data.Ratings))
	known, asked := likes.Cut(99)
	write := func(name string, p *evaluation.Pairs) string {
		var text strings.Builder
		for c, own := range p.Of {
			fmt.Fprint(&text, c)
			for _, product := range own {
				fmt.Fprint(&text, " ", product)
			}
			text.WriteString("\r\n")
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("train.txt", known), write("test.txt", asked)
}

func TestEvaluateCommand(t *testing.T) {
	t.Parallel()
	train, test := mustSplit(t)
	run := func(args ...string) (code int, stdout, stderr string) {
		var out, problems bytes.Buffer
		code = program.Run(t.Context(), "train", Description, &Command{},
			append([]string{"evaluate"}, args...), &out, &problems)
		return code, out.String(), problems.String()
	}
	args := []string{"--train", train, "--test", test, "--tune-budget", "1", "--largest-dim", "32", "--epochs", "8"}
	code, stdout, stderr := run(append(args, "--json")...)
	var result struct {
		Rows                       []map[string]any
		Skipped                    []Skipped
		Users, Items, Interactions int
		Config                     struct {
			Dim   int
			Tried []any
		}
	}
	if _, err := program.ReadResult([]byte(stdout), &result); err != nil || code != 0 {
		t.Fatalf("exit %d, %v, %s", code, err, stderr)
	}
	names, best := []string{}, 0.0
	for _, row := range result.Rows {
		name := row["model"].(string)
		names = append(names, name)
		ndcg, recall := row["ndcg@20"].(float64), row["recall@20"].(float64)
		if !(ndcg >= 0 && ndcg <= 1 && recall >= 0 && recall <= 1) || row["seconds"].(float64) <= 0 {
			t.Errorf("row is %v", row)
		}
		if name == "popularity" || name == "random" {
			best = max(best, ndcg)
		}
	}
	want := []string{RowKindred, "random", "popularity", "co-occurrence", "ease", "gf-cf", "bpr-mf"}
	if !slices.Equal(names, want) || len(result.Skipped) != 1 || result.Config.Dim == 0 || len(result.Config.Tried) == 0 {
		t.Errorf("rows are %v, skipped %v, config %+v", names, result.Skipped, result.Config)
	}
	if kindred := result.Rows[0]["ndcg@20"].(float64); kindred < best {
		t.Errorf("kindred's NDCG@20 is %.4f, a simple baseline's %.4f", kindred, best)
	}
	if result.Users != 100 || result.Items == 0 || result.Interactions == 0 {
		t.Errorf("%d users, %d items, %d interactions", result.Users, result.Items, result.Interactions)
	}
	if code, _, stderr := run("--train", train, "--test", filepath.Join(t.TempDir(), "absent")); code != 2 ||
		!strings.Contains(stderr, "absent") {
		t.Errorf("a file that is not there: exit %d, %s", code, stderr)
	}
	if code, _, stderr := run(append(args, "--valid", "evaluate_test.go")...); code != 2 ||
		!strings.Contains(stderr, "line 1") {
		t.Errorf("a file of another kind: exit %d, %s", code, stderr)
	}
}

func TestEvaluationOnDegenerateData(t *testing.T) {
	t.Parallel()
	quiet := func(string, int64, int64) {}
	tests := map[string]struct {
		train, test [][]int32
		want        error
	}{
		"nothing known":            {[][]int32{nil, nil}, [][]int32{{0}}, ials.ErrNoInteractions},
		"one user":                 {[][]int32{{0, 1}}, [][]int32{{2}}, nil},
		"a user who has all items": {[][]int32{{0, 1, 2}, {0}}, [][]int32{nil, {1}}, nil},
		"nothing to find":          {[][]int32{{0, 1}, {1}}, [][]int32{nil}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := Evaluation{Train: &evaluation.Pairs{Products: 3, Of: test.train},
				Test:       &evaluation.Pairs{Products: 3, Of: test.test},
				LargestDim: 16, TuneBudget: 0.01, Epochs: 2, Threads: 2, Progress: quiet,
				Measured: func(EvaluationRow) {}}
			result, err := e.Run(t.Context())
			if !errors.Is(err, test.want) {
				t.Fatalf("got error %v, want %v", err, test.want)
			}
			if err != nil {
				return
			}
			if data, err := json.Marshal(result); err != nil { // NaN has no JSON
				t.Errorf("%s: %v", data, err)
			}
		})
	}
}

// TestEvaluationDoesNotDependOnNumbers numbers users and items otherwise.
func TestEvaluationDoesNotDependOnNumbers(t *testing.T) {
	t.Parallel()
	const users, items = 60, 40
	rng := rand.New(rand.NewPCG(8, 8))
	train, test := &evaluation.Pairs{Products: items, Of: make([][]int32, users)},
		&evaluation.Pairs{Products: items, Of: make([][]int32, users)}
	for u := range users {
		for i := range int32(items) {
			switch {
			case rng.IntN(4) > 0 && int(i)%3 != u%3:
			case rng.IntN(5) == 0:
				test.Of[u] = append(test.Of[u], i)
			case rng.IntN(2) == 0:
				train.Of[u] = append(train.Of[u], i)
			}
		}
	}
	user, item := rng.Perm(users), rng.Perm(items)
	renumbered := func(p *evaluation.Pairs) *evaluation.Pairs {
		q := &evaluation.Pairs{Products: items, Of: make([][]int32, users)}
		for u, own := range p.Of {
			for _, i := range own {
				q.Of[user[u]] = append(q.Of[user[u]], int32(item[i]))
			}
			slices.Sort(q.Of[user[u]])
		}
		return q
	}
	table := func(train, test *evaluation.Pairs) []EvaluationRow {
		e := &Evaluation{Train: train, Test: test, LargestDim: 16, TuneBudget: 0.01, Epochs: 4, Seed: 1, Threads: 2,
			Progress: func(string, int64, int64) {}, Measured: func(EvaluationRow) {}}
		r, err := e.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range r.Rows {
			r.Rows[i].Seconds, r.Rows[i].Tuning = 0, 0
		}
		return r.Rows
	}
	if want, got := table(train, test), table(renumbered(train), renumbered(test)); !reflect.DeepEqual(want, got) {
		t.Errorf("numbered otherwise:\n%+v\nwant\n%+v", got, want)
	}
}
