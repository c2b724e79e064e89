// Package outcome is the lake's data set of what visitors of experiments did: sums over visitors, for each
// arm. It owns the rows and the layout of the file. Feedback writes the data set and publish reads it; which
// arm is better is publish's to say.
package outcome

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
)

// Part is a part of an experiment's visitors.
type Part string

// The parts. Only visitors of control and treatment count.
const (
	Control   Part = "control"
	Treatment Part = "treatment"
	Both      Part = "both"    // visitors who saw both arms
	Waiting   Part = "waiting" // visitors whose first day was not over when the newest record arrived
	// Everyone is of no experiment: what all visitors paid for recommended products, each day by itself. It has
	// only Revenue.
	Everyone Part = "everyone"
)

// Row sums up what the visitors of a part did in the 24 hours from their first page on. What is counted is
// credited to a page of the experiment.
type Row struct {
	Experiment string `json:"experiment"`
	Part       Part   `json:"part"`
	Visitors   int64  `json:"visitors"`
	Pages      int64  `json:"pages"`
	Hits       int64  `json:"hits"`      // pages with a product that the visitor looked at
	Carts      int64  `json:"carts"`     // products put into the cart
	Purchases  int64  `json:"purchases"` // products bought
	// Sums of the products of two figures of a visitor.
	PagesPages         int64 `json:"pages_pages"`
	HitsPages          int64 `json:"hits_pages"`
	HitsHits           int64 `json:"hits_hits"`
	CartsCarts         int64 `json:"carts_carts"`
	PurchasesPurchases int64 `json:"purchases_purchases"`
	// Unpriced counts bought products whose price is not known. They are not in Revenue.
	Unpriced int64 `json:"unpriced"`
	// Revenue is what the visitors paid, with each cap; nil if nobody paid anything, or before feedback counted it.
	Revenue []Capped `json:"revenue,omitempty"`
}

// Capped is what visitors paid, where of one visitor at most a cap counts, in the shop's currency.
type Capped struct {
	Cap     float64 `json:"cap"`
	Buyers  int64   `json:"buyers"`  // visitors who paid something
	Above   int64   `json:"above"`   // of these, who paid more than the cap
	Revenue float64 `json:"revenue"` // sum over the visitors
	Squares float64 `json:"squares"` // sum of the squares
}

// CapAt is the smallest cap of the rows, for the part Everyone, that at most the share 1 - quantile of the buyers
// exceeds. ok is false if nobody has paid anything, or each cap is exceeded by more.
func CapAt(rows []Row, quantile float64) (c Capped, ok bool) {
	for _, r := range rows {
		if r.Part != Everyone {
			continue
		}
		for _, c := range r.Revenue { // smallest first
			if float64(c.Above) <= (1-quantile)*float64(c.Buyers)+1e-9 {
				return c, true
			}
		}
	}
	return Capped{}, false
}

// AtCap is the row's revenue with a cap; zero if nobody paid anything.
func (r Row) AtCap(most float64) Capped {
	for _, c := range r.Revenue {
		if c.Cap == most {
			return c
		}
	}
	return Capped{Cap: most}
}

// Names in the manifest of a set of outcomes.
const (
	Kind              = "outcomes"      // of the manifest
	SchemaFingerprint = "outcomes-1"    // layout of the file
	File              = "outcomes.json" // the one file: a list of rows, by experiment and part
	DataSet           = "outcomes"      // that the file belongs to
)

// ErrSchema means that the outcomes were written in another layout than this program reads.
var ErrSchema = errors.New("the outcomes have another schema")

// AddRevenue adds to the rows in the file name, by experiment and part, what visitors paid: the file revenue has
// rows with the members of Capped, by experiment, part and cap.
func AddRevenue(name, revenue string) error {
	rows, err := readFile[Row](name)
	if err != nil {
		return err
	}
	paid, err := readFile[struct {
		Experiment string `json:"experiment"`
		Part       Part   `json:"part"`
		Capped
	}](revenue)
	if err != nil {
		return err
	}
	for _, p := range paid {
		i := slices.IndexFunc(rows, func(r Row) bool { return r.Experiment == p.Experiment && r.Part == p.Part })
		if i < 0 { // of Everyone
			i, rows = 0, slices.Insert(rows, 0, Row{Experiment: p.Experiment, Part: p.Part})
		}
		rows[i].Revenue = append(rows[i].Revenue, p.Capped)
	}
	data, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(data, '\n'), 0o600)
}

// Commit makes the file in dir the current outcomes, and returns its rows. changed says whether others were
// current before.
func Commit(ctx context.Context, lake objectstore.Store, dir string) (rows []Row, changed bool, err error) {
	if rows, err = readFile[Row](filepath.Join(dir, File)); err != nil {
		return nil, false, err
	}
	_, changed, err = commit.NewRepository(lake, envconfig.OutcomePrefix).Commit(ctx, commit.Draft{Kind: Kind,
		SchemaFingerprint: SchemaFingerprint, Dir: dir,
		Files: []commit.File{{Path: File, DataSet: DataSet, Rows: int64(len(rows))}}})
	return rows, changed, err
}

// Read returns the current rows, and the run that has them. ErrSchema, commit.ErrNoCurrent before the first
// commit, or commit.ErrCorrupt when the file is damaged.
func Read(ctx context.Context, lake objectstore.Store) (rows []Row, run string, err error) {
	repo := commit.NewRepository(lake, envconfig.OutcomePrefix)
	m, err := repo.Current(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("find the outcomes of experiments: %w", err)
	}
	if m.Kind != Kind || m.SchemaFingerprint != SchemaFingerprint || len(m.Files) != 1 {
		return nil, "", fmt.Errorf("read run %s of kind %s: %w", m.Run, m.Kind, ErrSchema)
	}
	dir, err := os.MkdirTemp("", "kindred-outcomes-*")
	if err != nil {
		return nil, "", fmt.Errorf("create scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	name := filepath.Join(dir, File)
	if err := repo.Fetch(ctx, m, m.Files[0], name); err != nil {
		return nil, "", err
	}
	rows, err = readFile[Row](name)
	return rows, m.Run, err
}

func readFile[T any](name string) (rows []T, err error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &rows); err != nil {
		return nil, fmt.Errorf("decode %s: %w", filepath.Base(name), err)
	}
	return rows, nil
}
