package loop

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"kindred/internal/model/modelversion"
)

// Report is what the programs said, in the order they ran. The JSON report is made of it.
type Report struct {
	Seed    SeedResult
	ETL     ETLResult
	Train   TrainResult
	Publish PublishResult
	// Catalogue is of `publish catalogue`.
	Catalogue CatalogueResult
	Replay    ReplayResult
	Audit     AuditResult
	Steps     []Step

	overruled bool // the demo made a model live that the gate refuses
}

// Step is one program's run.
type Step struct {
	Name    string
	Seconds float64
	NoOp    bool // everything was there already
}

// SeedResult is the part of seed's result that the demo shows.
type SeedResult struct {
	Customers int64 `json:"customers"`
	Products  int64 `json:"products"`
	Ratings   int64 `json:"ratings"`
	// of orders and events
	Kinds  map[string]int64 `json:"kinds"`
	Guests int64            `json:"guests"`
	Format string           `json:"format"`
	Files  *struct {
		Lines   int64            `json:"lines"`
		Kept    int64            `json:"kept"`
		LeftOut map[string]int64 `json:"left_out"`
		Notes   []string         `json:"notes"`
		Unused  []string         `json:"unused"`
	} `json:"files"`
}

// ETLResult is the part of etl's result that the demo shows.
type ETLResult struct {
	RunID       string `json:"run_id"`
	ContentHash string `json:"content_hash"`
	Rows        struct {
		Ratings      int64 `json:"ratings"`
		Interactions int64 `json:"interactions,omitempty"`
		Customers    int64 `json:"customers"`
		Products     int64 `json:"products"`
	} `json:"rows"`
}

// TrainResult is the part of train's result that the demo shows.
type TrainResult struct {
	ModelVersion string              `json:"model_version"`
	Report       modelversion.Report `json:"report"`
}

// PublishResult is the part of publish's result that the demo shows.
type PublishResult struct {
	Items     int64 `json:"items"`
	Customers int64 `json:"customers"`
}

// CatalogueResult is the part of the result of publish catalogue that the demo shows.
type CatalogueResult struct {
	Products  int64 `json:"products"`
	Available int64 `json:"available"`
}

// ReplayResult is the part of replay's result that the demo shows.
type ReplayResult struct {
	EventsSent int64 `json:"events_sent"`
	PoisonSent int64 `json:"poison_sent"`
	Sessions   int64 `json:"sessions"`
}

// AuditResult is the part of verify's result that the demo shows.
type AuditResult struct {
	Events int64 `json:"events"`
	// a call to the stream that is repeated may put a record twice
	DistinctEvents  int64            `json:"distinct_events"`
	Recommended     int64            `json:"recommended"`
	Quarantined     int64            `json:"quarantined"`
	OnFailure       int64            `json:"on_failure"`
	InFlight        int64            `json:"in_flight"`
	Duplicates      int64            `json:"duplicates"`
	Lost            int64            `json:"lost"`
	EventsPerSecond float64          `json:"events_per_second"`
	LatencyMS       Percentiles      `json:"latency_ms"`
	Sources         map[string]int64 `json:"sources"`
}

// Percentiles of a latency in milliseconds, from a record's arrival on the stream to its recommendation.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// check holds the demo to its promises.
func (r *Report) check(poison int) error {
	a := r.Audit
	switch {
	case a.Lost != 0 || a.InFlight != 0 || a.OnFailure != 0:
		return fmt.Errorf("the audit found %d lost events, %d still in flight and %d given up by Lambda: none may be",
			a.Lost, a.InFlight, a.OnFailure)
	case a.DistinctEvents-a.Quarantined != r.Replay.EventsSent:
		return fmt.Errorf("%d clicks were sent and %d recommended", r.Replay.EventsSent, a.DistinctEvents-a.Quarantined)
	case a.Quarantined != r.Replay.PoisonSent || r.Replay.PoisonSent != int64(poison):
		return fmt.Errorf("%d poison records were asked for, %d sent and %d quarantined", poison, r.Replay.PoisonSent,
			a.Quarantined)
	}
	return nil
}

// noOp says whether a step found everything there already.
func (r *Report) noOp(step string) bool {
	return slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Name == step && s.NoOp })
}

// write stores the report as JSON, whole or not at all.
func (r *Report) write(path string) error {
	quality := map[string]map[string]float64{}
	for _, row := range r.Train.Report.Rows {
		quality[row.Name] = map[string]float64{
			"ndcg@10": row.NDCG10, "recall@10": row.Recall10, "ndcg@10_low": row.Low, "ndcg@10_high": row.High,
		}
	}
	seconds := map[string]float64{}
	for _, s := range r.Steps {
		seconds[s.Name] = s.Seconds
	}
	data, err := json.MarshalIndent(map[string]any{
		"rows_extracted":    r.ETL.Rows,
		"training_set":      map[string]any{"run": r.ETL.RunID, "content_hash": r.ETL.ContentHash, "no_op": r.noOp("etl")},
		"model_version":     r.Train.ModelVersion,
		"model_no_op":       r.noOp("train"),
		"split":             r.Train.Report.Split,
		"quality":           quality,
		"verdict":           r.Train.Report.Verdict,
		"events_sent":       r.Replay.EventsSent,
		"poison_sent":       r.Replay.PoisonSent,
		"recommended":       r.Audit.Recommended,
		"quarantined":       r.Audit.Quarantined,
		"duplicates":        r.Audit.Duplicates,
		"lost":              r.Audit.Lost,
		"sources":           r.Audit.Sources,
		"events_per_second": r.Audit.EventsPerSecond,
		"latency_ms":        r.Audit.LatencyMS,
		"seconds":           seconds,
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return os.Rename(path+".new", path)
}
