package awsday

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kindred/internal/stream/activity"
)

// TestSameDatabasesHaveTheSameVersions compares results of publish list.
func TestSameDatabasesHaveTheSameVersions(t *testing.T) {
	t.Parallel()
	const version = `{"result": {"versions": [{"model_version": "m1", "state": "ready", "live": %t, "items": %d, ` +
		`"customers": 20, "damage": [%s]}]}}`
	good := fmt.Sprintf(version, true, 800, "")
	for name, test := range map[string]struct{ original, restored, want string }{
		"same":         {good, good, "1 versions with 820 rows in both; m1 is live"},
		"fewer rows":   {good, fmt.Sprintf(version, true, 799, ""), ""},
		"not live":     {good, fmt.Sprintf(version, false, 800, ""), ""},
		"damaged":      {good, fmt.Sprintf(version, true, 800, `"item: 3 rows less"`), ""},
		"both damaged": {fmt.Sprintf(version, true, 800, `"x"`), fmt.Sprintf(version, true, 800, `"x"`), ""},
		"none":         {`{"result": {}}`, `{"result": {}}`, ""},
		"no result":    {good, "", ""},
	} {
		got, err := same([]byte(test.original), []byte(test.restored))
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestAnotherHostKeepsTheRest replaces the host of the address that publish gets.
func TestAnotherHostKeepsTheRest(t *testing.T) {
	t.Parallel()
	got, err := withHost("postgres://old.rds.amazonaws.com:5432/kindred?sslmode=verify-full", "new.rds.amazonaws.com")
	if want := "postgres://new.rds.amazonaws.com:5432/kindred?sslmode=verify-full"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

// TestStartTimeIsLambdas reads the line REPORT, which has no Init Duration if no instance was started.
func TestStartTimeIsLambdas(t *testing.T) {
	t.Parallel()
	const report = "REPORT RequestId: 1\tDuration: 3.10 ms\tBilled Duration: 4 ms\tMemory Size: 512 MB"
	for line, want := range map[string]time.Duration{report: 0,
		report + "\tInit Duration: 412.50 ms\t": 412500 * time.Microsecond} {
		got, found := startTime([]byte(base64.StdEncoding.EncodeToString([]byte(line))))
		if got != want || found != (want > 0) {
			t.Errorf("%v, %t of %q", got, found, line)
		}
	}
}

// TestEventsOfTheLoadAreActivityEvents decodes each as the function does.
func TestEventsOfTheLoadAreActivityEvents(t *testing.T) {
	t.Parallel()
	e := &Environment{Work: filepath.Join(t.TempDir(), "new"), Events: 23, Shop: "books"}
	file := filepath.Join(e.Work, "events.jsonl")
	if err := e.writeEvents(file, []string{"S10_1678", "S10_1949"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ids := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		event, err := activity.Parse(lines.Bytes())
		if err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		ids[event.EventID] = true
	}
	if len(ids) != e.Events {
		t.Errorf("%d different events, want %d", len(ids), e.Events)
	}
}

// TestProtectMustBeOff refuses variables whose environment could not be destroyed.
func TestProtectMustBeOff(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{`{}`: false, `{"protect": true}`: false, `{"protect": false}`: true} {
		var v variables
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if err := v.check("day.json"); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestOnlyTheNameAgrees reads what a person typed.
func TestOnlyTheNameAgrees(t *testing.T) {
	t.Parallel()
	for typed, ok := range map[string]bool{"day\n": true, "day": true, "": false, "yes\n": false} {
		if err := agree(strings.NewReader(typed), &strings.Builder{}, "day"); (err == nil) != ok {
			t.Errorf("%q: %v", typed, err)
		}
	}
}

// TestRowsThatDifferAreNamed reads a page as conformance writes it; the committed one says that AWS's column is there.
func TestRowsThatDifferAreNamed(t *testing.T) {
	t.Parallel()
	const head = "| row | AWS documents | AWS |"
	const page = head + " moto 5.2.5 | covered by |\n|---|---|---|---|---|\n" +
		"| `kinesis/latest` | LATEST begins late ([source](https://a)) | as AWS documents | differs: early |  |\n" +
		"| `kinesis/split` | A shard splits | differs: it is late | as AWS documents | `a` |\n" +
		"| `kinesis/merge` | Shards merge | not run | as AWS documents | `a` |\n"
	if same, differ := column(page); same != 1 || strings.Join(differ, " ") != "kinesis/split kinesis/merge" {
		t.Errorf("%d rows are as documented, %v differ", same, differ)
	}
	text, err := os.ReadFile("../../../docs/parity.md")
	if err != nil {
		t.Fatal(err)
	}
	same, differ := column(string(text))
	if rows := strings.Count(string(text), "\n| `"); !strings.Contains(string(text), head) || rows == 0 ||
		same+len(differ) != rows {
		t.Errorf("%d+%d of %d rows of the committed page were read", same, len(differ), rows)
	}
}
