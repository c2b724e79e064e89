// Package rollup is the lake's roll-up of what went through the stream: how many records were delivered in each
// hour, how late they were, which events could not be answered, and an index that finds the object of an event by
// its id. It holds no event and no customer: of ids it has 64 bits of a hash. It owns the layout of the files, and
// reads them; what a record is, the program rollup knows.
//
// A run has the counts of all hours, and one segment of the index: what came since the run before. Details lists
// the runs whose segments are the whole index, so that a run need not copy the index. Each new segment takes in
// those before it that are not much larger than itself: there are few, and an entry is rarely copied.
package rollup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
)

// Names in the manifest.
const (
	Kind              = "rollup"   // of the manifest
	SchemaFingerprint = "rollup-1" // layout of the files

	hoursFile     = "hours.parquet"
	latenciesFile = "latencies.parquet"
	lettersFile   = "letters.parquet"
	recentFile    = "recent.txt"
	indexFile     = "index.bin"
	objectsFile   = "objects.txt"
)

// ErrSchema means that the roll-up was written in another layout than this program reads.
var ErrSchema = errors.New("the roll-up has another schema")

// Hour counts the records that were made in one hour by one version from one source.
type Hour struct {
	At      time.Time `parquet:"at,timestamp(millisecond)"` // its beginning
	Version string    `parquet:"model_version,dict"`
	Source  string    `parquet:"source,dict"`
	Records int64     `parquet:"records"`
	Unknown int64     `parquet:"unknown_products"` // products of these events that the version does not know
}

// Latency counts the records of one hour that took about as long, from arrival on the stream to the answer.
type Latency struct {
	At      time.Time `parquet:"at,timestamp(millisecond)"` // the hour's beginning
	MS      float64   `parquet:"ms"`                        // the middle of the bucket, which is 1 % wide
	Records int64     `parquet:"records"`
}

// Letter is a dead letter that lies in the bucket.
type Letter struct {
	Key    string    `parquet:"key"`
	Reason string    `parquet:"reason,dict"`
	At     time.Time `parquet:"at,timestamp(millisecond)"` // when it was written
}

// Details is the manifest's field details.
type Details struct {
	// AsOf says that everything was read that had been delivered by then. It lies behind the time of the run
	// while a first reading takes several runs.
	AsOf       time.Time        `json:"as_of"`
	Objects    int64            `json:"objects"`    // delivered objects that were read
	Records    int64            `json:"records"`    // in them; an event that was tried again may have two
	Unreadable int64            `json:"unreadable"` // lines that hold no record
	Letters    map[string]int64 `json:"letters"`    // by reason
	Segments   []Segment        `json:"segments"`   // of the index, oldest first
}

// Segment is a part of the index. It lies in the folder of the run that wrote it.
type Segment struct {
	Run     string `json:"run,omitempty"` // empty: the run that lists it
	Entries int64  `json:"entries"`
	Bytes   int64  `json:"bytes"` // of its names of objects
}

// Rollup is a run.
type Rollup struct {
	Details

	Run       string
	Hours     []Hour    // by hour, version and source
	Latencies []Latency // by hour and length, of the last 31 days
}

// Repository is where the roll-ups are in a lake.
func Repository(lake objectstore.Store) *commit.Repository {
	return commit.NewRepository(lake, envconfig.RollupPrefix)
}

// Current finds the current run, and what it says of itself. Errors: commit.ErrNoCurrent before the first one,
// ErrSchema, commit.ErrCorrupt.
func Current(ctx context.Context, repo *commit.Repository) (commit.Manifest, Details, error) {
	m, err := repo.Current(ctx)
	if err != nil {
		return m, Details{}, fmt.Errorf("find the roll-up: %w", err)
	}
	if m.Kind != Kind || m.SchemaFingerprint != SchemaFingerprint {
		return m, Details{}, fmt.Errorf("read run %s of kind %s, layout %s: %w", m.Run, m.Kind, m.SchemaFingerprint,
			ErrSchema)
	}
	d, err := detailsOf(m)
	return m, d, err
}

func detailsOf(m commit.Manifest) (d Details, err error) {
	if err := json.Unmarshal(m.Details, &d); err != nil {
		return d, fmt.Errorf("%w: the details of roll-up %s: %w", commit.ErrCorrupt, m.Run, err)
	}
	for i := range d.Segments {
		if d.Segments[i].Run == "" {
			d.Segments[i].Run = m.Run
		}
	}
	return d, nil
}

// Read loads a run that Current has found, without its letters. commit.ErrCorrupt when a file is damaged.
func Read(ctx context.Context, repo *commit.Repository, m commit.Manifest, d Details) (*Rollup, error) {
	r := &Rollup{Details: d, Run: m.Run}
	var err error
	if r.Hours, err = readRows[Hour](ctx, repo, m, hoursFile); err != nil {
		return nil, err
	}
	r.Latencies, err = readRows[Latency](ctx, repo, m, latenciesFile)
	return r, err
}

// Letters loads the dead letters of a run, by key.
func Letters(ctx context.Context, repo *commit.Repository, m commit.Manifest) ([]Letter, error) {
	return readRows[Letter](ctx, repo, m, lettersFile)
}

// Recent loads the keys of the objects that the next run meets again, in their order.
func Recent(ctx context.Context, repo *commit.Repository, m commit.Manifest) ([]string, error) {
	data, err := readFile(ctx, repo, m, recentFile)
	if err != nil || len(data) == 0 {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"), nil
}

func readFile(ctx context.Context, repo *commit.Repository, m commit.Manifest, name string) ([]byte, error) {
	for _, f := range m.Files {
		if f.Path == name {
			return repo.Read(ctx, m, f)
		}
	}
	return nil, fmt.Errorf("%w: roll-up %s has no %s", commit.ErrCorrupt, m.Run, name)
}

func readRows[Row any](ctx context.Context, repo *commit.Repository, m commit.Manifest, name string) ([]Row, error) {
	data, err := readFile(ctx, repo, m, name)
	if err != nil {
		return nil, err
	}
	rows, err := parquet.Read[Row](bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: %s of roll-up %s: %w", commit.ErrCorrupt, name, m.Run, err)
	}
	return rows, nil
}

func writeRows[Row any](dir, name string, rows []Row) (file commit.File, err error) {
	out, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return file, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	dataSet := strings.TrimSuffix(name, ".parquet")
	w := parquet.NewGenericWriter[Row](out, &parquet.WriterConfig{CreatedBy: "kindred", Compression: &parquet.Snappy,
		Schema: parquet.NewSchema(dataSet, parquet.SchemaOf(*new(Row)))})
	if _, err := w.Write(rows); err != nil {
		return file, fmt.Errorf("write %s: %w", name, err)
	}
	if err := w.Close(); err != nil {
		return file, fmt.Errorf("write %s: %w", name, err)
	}
	return commit.File{Path: name, DataSet: dataSet, Rows: int64(len(rows))}, nil
}
