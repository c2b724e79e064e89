// Package interaction is the lake's two data sets of what visitors did with products in their sessions: interactions,
// one for each product of a session, and clicks in their order. It owns the rows, the actions and the layouts of the
// files. Feedback writes the data sets and train reads them; what an interaction is worth is train's to say.
package interaction

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/commit"
)

// Action is the strongest thing that a visitor did with a product in a session.
type Action string

// From the weakest to the strongest.
const (
	View     Action = "view"
	Cart     Action = "cart"
	Purchase Action = "purchase"
)

// Interaction is what a visitor did with a product in one session, recommended or not.
type Interaction struct {
	CustomerID  string `parquet:"customer_number,optional"` // empty: the session's visitor is no known customer
	SessionID   string `parquet:"session_id,optional"`      // empty in files of before
	ProductCode string `parquet:"product_code"`
	Action      Action `parquet:"action"`
	OccurredAt  int64  `parquet:"occurred_at"` // milliseconds since 1970 UTC
}

// numbered is an Interaction of a file with layout feedback-1, in which customers have numbers.
type numbered struct {
	Number      int32  `parquet:"customer_number"`
	ProductCode string `parquet:"product_code"`
	Action      Action `parquet:"action"`
	OccurredAt  int64  `parquet:"occurred_at"`
}

func (n numbered) interaction() Interaction {
	return Interaction{CustomerID: strconv.Itoa(int(n.Number)), ProductCode: n.ProductCode, Action: n.Action,
		OccurredAt: n.OccurredAt}
}

// Names in the manifest of a set of interactions.
const (
	Kind              = "feedback"             // of the manifest
	SchemaFingerprint = "feedback-2"           // layout of the file
	numberedSchema    = "feedback-1"           // the same with customers' numbers
	File              = "interactions.parquet" // the one file
	DataSet           = "interactions"         // that the file belongs to
)

// ErrSchema means that the interactions were written with other columns than this program reads.
var ErrSchema = errors.New("the interactions have another schema")

// Read loads the interactions of m, by customer, product and time. It needs scratchDir (empty: the
// system's) for a copy of the file. ErrSchema, or commit.ErrCorrupt when the file is damaged.
func Read(ctx context.Context, repo *commit.Repository, m commit.Manifest,
	scratchDir string) (all []Interaction, err error) {
	if m.Kind != Kind || m.SchemaFingerprint != SchemaFingerprint && m.SchemaFingerprint != numberedSchema {
		return nil, fmt.Errorf("read run %s of kind %s: %w", m.Run, m.Kind, ErrSchema)
	}
	read := readFile[Interaction]
	if m.SchemaFingerprint == numberedSchema {
		read = readNumbered
	}
	return readRun(ctx, repo, m, scratchDir, read)
}

// readRun reads the rows of all files of m, each from a copy in scratchDir.
func readRun[Row any](ctx context.Context, repo *commit.Repository, m commit.Manifest, scratchDir string,
	read func(name string) ([]Row, error)) (all []Row, err error) {
	dir, err := os.MkdirTemp(scratchDir, "kindred-"+m.Kind+"-*")
	if err != nil {
		return nil, fmt.Errorf("create scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, f := range m.Files {
		name := filepath.Join(dir, filepath.Base(f.Path))
		if err := repo.Fetch(ctx, m, f, name); err != nil {
			return nil, err
		}
		part, err := read(name)
		if err != nil {
			return nil, fmt.Errorf("read %s of run %s: %w", f.Path, m.Run, err)
		}
		if int64(len(part)) != f.Rows {
			return nil, fmt.Errorf("read %s of run %s: %w: its number of rows is not the one in the manifest", f.Path, m.Run,
				commit.ErrCorrupt)
		}
		all = append(all, part...)
	}
	return all, nil
}

func readNumbered(name string) ([]Interaction, error) {
	rows, err := readFile[numbered](name)
	all := make([]Interaction, len(rows))
	for i, row := range rows {
		all[i] = row.interaction()
	}
	return all, err
}

func readFile[Row any](name string) (rows []Row, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	reader := parquet.NewGenericReader[Row](file)
	defer func() { err = errors.Join(err, reader.Close()) }()
	rows = make([]Row, reader.NumRows())
	for n := 0; n < len(rows); {
		read, err := reader.Read(rows[n:])
		n += read
		if errors.Is(err, io.EOF) && n == len(rows) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}
