package loop

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kindred/internal/model/modelversion"
)

func report() Report {
	var r Report
	r.ETL.RunID, r.ETL.Rows.Ratings = "abc", 100_000
	r.Train.ModelVersion = "m123"
	r.Train.Report = modelversion.Report{Split: "per-customer time split", TestCustomers: 1900, Rows: []modelversion.Row{
		{Name: modelversion.RowModel, NDCG10: 0.2, Recall10: 0.25, Low: 0.19, High: 0.21},
		{Name: modelversion.RowPopularity, NDCG10: 0.1, Recall10: 0.12, Low: 0.09, High: 0.11},
		{Name: modelversion.RowCeiling, NDCG10: 0.25, Recall10: 0.3, Low: 0.24, High: 0.26},
	}}
	r.Replay = ReplayResult{EventsSent: 2000, PoisonSent: 20, Sessions: 300}
	r.Audit = AuditResult{Events: 2020, DistinctEvents: 2020, Recommended: 2000, Quarantined: 20, EventsPerSecond: 200,
		LatencyMS: Percentiles{P50: 300, P99: 900}, Sources: map[string]int64{"session": 1990, "popularity": 10}}
	r.Steps = []Step{{Name: "seed", Seconds: 1.5}, {Name: "etl", Seconds: 2}}
	return r
}

func TestCheckHoldsTheDemoToItsPromises(t *testing.T) {
	t.Parallel()
	good := report()
	if err := good.check(20); err != nil {
		t.Errorf("a good run: %v", err)
	}
	for name, spoil := range map[string]func(*Report){
		"lost":             func(r *Report) { r.Audit.Lost = 1 },
		"in flight":        func(r *Report) { r.Audit.InFlight = 1 },
		"given up":         func(r *Report) { r.Audit.OnFailure = 1 },
		"not on stream":    func(r *Report) { r.Audit.DistinctEvents-- },
		"poison swallowed": func(r *Report) { r.Audit.Quarantined-- },
		"poison not sent":  func(r *Report) { r.Replay.PoisonSent, r.Audit.Quarantined = 0, 0 },
	} {
		r := report()
		spoil(&r)
		if r.check(20) == nil {
			t.Errorf("%s: passed", name)
		}
	}
}

func TestWriteHoldsWhatReadersOfTheReportLookFor(t *testing.T) {
	t.Parallel()
	r := report()
	path := filepath.Join(t.TempDir(), ReportFile)
	if err := r.write(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Quality map[string]map[string]float64
		Lost    *int
		Seconds map[string]float64
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Quality["model"]["ndcg@10"] != 0.2 || got.Quality["ceiling"]["recall@10"] != 0.3 || got.Lost == nil ||
		got.Seconds["seed"] != 1.5 {
		t.Errorf("report:\n%s", data)
	}
}

func TestSummaryAnswersTheThreeQuestions(t *testing.T) {
	t.Parallel()
	r := report()
	var out bytes.Buffer
	r.summarise(&out, []Visitor{{Who: "Customer 7", LookedAt: []string{"a ship"},
		Recommended: []string{"a plane, because of a ship"}}})
	for _, want := range []string{
		"2.0 times as well as popularity", "80 % of the ceiling", "1 a plane, because of a ship",
		"2,020 records sent = 2,000 recommended + 20 quarantined, 0 lost", "1,990 from session, 10 from popularity",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, &out)
		}
	}
}

func TestStepNamesTheProgramThatFailed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "etl"), []byte("#!/bin/sh\necho disk is full >&2\nexit 1\n"),
		0o700); err != nil {
		t.Fatal(err)
	}
	var out, progress bytes.Buffer
	d := Demo{Programs: folder, Out: &out, Progress: &progress}
	err := d.step(t.Context(), "etl", "extract", d.program("etl"), nil)
	if err == nil || !strings.Contains(err.Error(), "etl ended") || !strings.Contains(progress.String(), "disk is full") {
		t.Errorf("error %v, progress %q", err, &progress)
	}
}

func TestCountSeparatesThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestCallersEnvironmentWins(t *testing.T) {
	t.Setenv("MYSQL_DSN", "mine")
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "env"), []byte("MYSQL_DSN='stack'\nLAKE_BUCKET='stack'\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	d := Demo{State: folder}
	if err := d.readEnvironment(); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(d.environment, "\n")
	if !strings.Contains(all, "MYSQL_DSN=mine") || strings.Contains(all, "MYSQL_DSN=stack") ||
		!strings.Contains(all, "LAKE_BUCKET=stack") {
		t.Error(all)
	}
}
