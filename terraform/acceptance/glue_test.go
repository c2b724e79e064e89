package acceptance

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/internal/stream/activity"
)

// TestGlueTableHasEveryFieldOfARecord compares the type of the table's column `recommendation` with a
// delivered record in which every field has a value.
func TestGlueTableHasEveryFieldOfARecord(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	line, err := activity.Record{Event: []byte(`{"session_id":"s","browse_history":[]}`),
		Recommendation: activity.Recommendation{
			ID: "i", EventID: "e", ModelVersion: "m", Source: activity.SourceSession, GeneratedAt: at, LatencyMS: 1,
			Position: activity.Position{Stream: "s", Shard: "h", SequenceNumber: "1", PartitionKey: "k", ArrivedAt: at,
				SubSequenceNumber: 1}}}.AppendSealed(nil)
	if err != nil {
		t.Fatal(err)
	}
	var record struct{ Recommendation map[string]any }
	if err := json.Unmarshal(line, &record); err != nil {
		t.Fatal(err)
	}
	var want []string
	for name, value := range record.Recommendation {
		want = append(want, name)
		if position, ok := value.(map[string]any); ok {
			for name := range position {
				want = append(want, name)
			}
		}
	}
	module, err := os.ReadFile("../modules/etl/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	column := regexp.MustCompile(`\["recommendation", "([^"]+)"\]`).FindStringSubmatch(string(module))
	if column == nil {
		t.Fatal("the table has no column recommendation")
	}
	var got []string
	for _, field := range regexp.MustCompile(`(\w+):`).FindAllStringSubmatch(column[1], -1) {
		got = append(got, field[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the table has the fields %s, a record has %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// launcherEnvironment prints the environment that a worker's program gets: what the driver hands over
// is made in the driver's environment, and used in the worker's. pyspark is not needed for that.
const launcherEnvironment = `
import json, os, sys, types
spark = types.ModuleType("pyspark"); sql = types.ModuleType("pyspark.sql")
spark.SparkFiles = sql.SparkSession = object
sys.modules.update({"pyspark": spark, "pyspark.sql": sql})
sys.path.insert(0, "../../jobs/etl/glue")
sys.dont_write_bytecode = True
import launcher
driver, worker, sys.argv = json.loads(sys.argv[1]), json.loads(sys.argv[2]), ["launcher.py"] + sys.argv[3:]
os.environ.clear(); os.environ.update(driver)
handed = launcher.environment(launcher.arguments())
os.environ.clear(); os.environ.update(worker)
print(json.dumps(launcher.on_this_machine(handed)))
`

// TestStaticLauncherKeepsEachMachinesCredentials runs the driver and a worker with different credentials, as on
// Glue, where each machine fetches its own, and as on a cluster where only the driver has some.
func TestStaticLauncherKeepsEachMachinesCredentials(t *testing.T) {
	t.Parallel()
	fetched := func(token string) map[string]string {
		return map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
			"AWS_CONTAINER_AUTHORIZATION_TOKEN": token}
	}
	keys := func(key string) map[string]string {
		return map[string]string{"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": key, "AWS_ENDPOINT_URL": "http://" + key}
	}
	for name, test := range map[string]struct{ driver, worker, want map[string]string }{
		"each fetches its own": {fetched("driver"), fetched("worker"),
			map[string]string{"AWS_CONTAINER_AUTHORIZATION_TOKEN": "worker"}},
		"only the driver fetches": {fetched("driver"), map[string]string{},
			map[string]string{"AWS_CONTAINER_AUTHORIZATION_TOKEN": ""}},
		"each has keys": {keys("driver"), keys("worker"),
			map[string]string{"AWS_ACCESS_KEY_ID": "worker", "AWS_ENDPOINT_URL": "http://driver"}},
		"only the driver has keys": {keys("driver"), map[string]string{},
			map[string]string{"AWS_ACCESS_KEY_ID": "driver", "AWS_SECRET_ACCESS_KEY": "driver"}},
		"keys do not replace a token": {keys("driver"), fetched("worker"),
			map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "worker"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var given []string
			for _, environment := range []map[string]string{test.driver, test.worker} {
				text, err := json.Marshal(environment)
				if err != nil {
					t.Fatal(err)
				}
				given = append(given, string(text))
			}
			args := append([]string{"-c", launcherEnvironment}, given...)
			cmd := exec.CommandContext(t.Context(), "python3", append(args, "--etl", "e", "--partitions", "1", "--region",
				"eu-west-1")...)
			out, err := cmd.Output()
			var got map[string]string
			if err == nil {
				err = json.Unmarshal(out, &got)
			}
			if err != nil {
				t.Fatal(err)
			}
			for variable, want := range test.want {
				if got[variable] != want {
					t.Errorf("%s is %q, want %q", variable, got[variable], want)
				}
			}
			if got["AWS_REGION"] != "eu-west-1" {
				t.Errorf("the region is %q", got["AWS_REGION"])
			}
		})
	}
}
