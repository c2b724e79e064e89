package rules

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// mustFixture returns a fresh copy of the resources that the tests begin with: the plan of a whole
// environment, which breaks no rule. `make tf-rules ARGS=-update` writes the file.
func mustFixture(t *testing.T) map[string]map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	var resources map[string]map[string]any
	if err := json.Unmarshal(data, &resources); err != nil {
		t.Fatal(err)
	}
	return resources
}

// mustPlan is the plan of resources, with the programs' recorded calls.
func mustPlan(t *testing.T, resources map[string]map[string]any) *Plan {
	t.Helper()
	p := New(resources, region)
	p.Calls = mustCalls(t)
	return p
}

// region is the fixture's.
const region = "eu-west-1"

func TestRulesAreWhole(t *testing.T) {
	t.Parallel()
	all := All()
	if len(all) < 60 {
		t.Errorf("only %d rules", len(all))
	}
	name := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)
	for i, rule := range all {
		if !name.MatchString(rule.Name) || rule.Says == "" || rule.Do == "" || rule.Check == nil {
			t.Errorf("rule %q is not whole", rule.Name)
		}
		if !strings.HasPrefix(rule.Source, "https://docs.aws.amazon.com/") {
			t.Errorf("rule %s: its source %q is no page of AWS's documentation", rule.Name, rule.Source)
		}
		if i > 0 && all[i-1].Name == rule.Name {
			t.Errorf("two rules are named %s", rule.Name)
		}
	}
}

// TestFixtureBreaksNoRule is the passing fixture of every rule: each looks at something in it.
func TestFixtureBreaksNoRule(t *testing.T) {
	t.Parallel()
	findings, seen := Check(mustPlan(t, mustFixture(t)), All())
	for _, f := range findings {
		t.Error(f)
	}
	for name, n := range seen {
		if n == 0 {
			t.Errorf("rule %s looks at nothing in the fixture", name)
		}
	}
}

// TestEachRuleFindsItsMistake is the failing fixture of every rule: after the mistake the rule finds it,
// and says which resource it is about.
func TestEachRuleFindsItsMistake(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	for _, m := range mistakes() {
		tried[m.rule] = true
		t.Run(m.rule+" "+m.path, func(t *testing.T) {
			t.Parallel()
			resources := mustFixture(t)
			if err := m.make(resources); err != "" {
				t.Fatal(err)
			}
			findings, _ := Check(mustPlan(t, resources), All())
			if !slices.ContainsFunc(findings, func(f Finding) bool {
				return f.Rule.Name == m.rule && f.Address != "" &&
					f.Found != ""
			}) {
				t.Errorf("the rule finds nothing; all findings: %v", findings)
			}
		})
	}
	for _, rule := range All() {
		if !tried[rule.Name] {
			t.Errorf("rule %s has no mistake to find", rule.Name)
		}
	}
}

// mistake is one wrong value in the fixture.
type mistake struct {
	rule    string // that must find it
	address string // the resource
	path    string // of the value, as in Resource.Text; in a JSON document too. "" is the resource itself
	value   any    // nil removes what is there
}

// make changes the resources, or says why it cannot.
func (m mistake) make(resources map[string]map[string]any) (problem string) {
	values, found := resources[m.address]
	if !found {
		return "the fixture has no " + m.address
	}
	if m.path == "" {
		delete(resources, m.address)
		return ""
	}
	if _, err := change(values, strings.Split(m.path, "."), m.value); err != "" {
		return m.address + ": " + err
	}
	return ""
}

// change returns held with another value at the path. It reads and writes JSON documents on its way.
func change(held any, path []string, value any) (changed any, problem string) {
	if len(path) == 0 {
		return value, ""
	}
	switch was := held.(type) {
	case string:
		var document any
		if json.Unmarshal([]byte(was), &document) != nil {
			return nil, path[0] + ": what is above it is a text"
		}
		if document, problem = change(document, path, value); problem != "" {
			return nil, problem
		}
		text, err := json.Marshal(document)
		if err != nil {
			return nil, err.Error()
		}
		return string(text), ""
	case map[string]any:
		if len(path) == 1 && value == nil {
			if _, found := was[path[0]]; !found {
				return nil, path[0] + " is not there"
			}
			delete(was, path[0])
			return was, ""
		}
		inner, problem := change(was[path[0]], path[1:], value)
		if problem != "" {
			return nil, path[0] + "." + problem
		}
		was[path[0]] = inner
		return was, ""
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil || i >= len(was) {
			return nil, path[0] + ": no such element"
		}
		if len(path) == 1 && value == nil {
			return slices.Delete(slices.Clone(was), i, i+1), ""
		}
		inner, problem := change(was[i], path[1:], value)
		if problem != "" {
			return nil, path[0] + "." + problem
		}
		was[i] = inner
		return was, ""
	}
	return nil, path[0] + ": nothing is above it"
}

// TestMetricsAreThoseOfThePrograms compares the metrics that alarms may watch with what the functions
// write: of each batch, and of an experiment's arms.
func TestMetricsAreThoseOfThePrograms(t *testing.T) {
	t.Parallel()
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []struct{ Name string }
	}
	mustRead := func(parts []string, target any) {
		t.Helper()
		file, err := os.Open(filepath.Join(append([]string{"..", ".."}, parts...)...))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if err := json.NewDecoder(file).Decode(target); err != nil { // the first line, where there are more
			t.Fatal(err)
		}
	}
	var batch directive
	mustRead([]string{"lambdas", "recommend", "testdata", "metrics.json"}, &batch)
	var arms struct {
		AWS struct{ CloudWatchMetrics []directive } `json:"_aws"`
	}
	mustRead([]string{"internal", "serving", "armmetric", "testdata", "metrics.jsonl"}, &arms)
	written := map[string][]string{}
	for _, d := range append(arms.AWS.CloudWatchMetrics, batch) {
		if d.Namespace != "kindred" {
			t.Errorf("a function writes to %s", d.Namespace)
		}
		for _, m := range d.Metrics {
			written[m.Name] = slices.Sorted(slices.Values(d.Dimensions[0]))
		}
	}
	if diff := gocmp.Diff(written, Emitted()); diff != "" {
		t.Errorf("the rules know other metrics (-written +known):\n%s", diff)
	}
}
