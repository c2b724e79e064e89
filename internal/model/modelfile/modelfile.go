// Package modelfile writes a model version to files and reads it back, under the commit protocol of
// package commit. It owns the files' names, columns and format; what a version is and when it is
// whole belongs to package modelversion.
package modelfile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelversion"
)

// Kind is the manifest's kind of a model version.
const Kind = "model-version"

// schemaFingerprint names the layout of the files.
func schemaFingerprint(format int) string { return "model-version-" + strconv.Itoa(format) }

// source is what the manifest says of a version's origin.
type source struct {
	TrainingRun    string `json:"training_run"`
	TrainerVersion string `json:"trainer_version"`
	Input          string `json:"input"`
	Learned        string `json:"learned,omitempty"`
	Shop           string `json:"shop,omitempty"` // only here: the files of a version do not depend on its shop's name
}

// Write commits v as the current version, under its ID. changed is false when it is current
// already. It needs scratchDir for a copy of the files. TrainedAt is not stored: the manifest's
// time of creation takes its place. An error is modelversion.ErrInvalid or comes from commit.
func Write(ctx context.Context, repo *commit.Repository, v *modelversion.Version,
	scratchDir string) (changed bool, err error) {
	if err := v.Validate(); err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp(scratchDir, "model-*")
	if err != nil {
		return false, fmt.Errorf("write version %s: %w", v.ID, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	local := func(name string) string { return filepath.Join(dir, name) }
	format := formatOf(v)
	id := identity{Format: format, ID: v.ID, TrainingRun: v.TrainingRun, TrainerVersion: v.TrainerVersion,
		Input: v.Input, Learned: v.Learned, Previous: v.Previous, Training: v.Training}
	files := []commit.File{
		{Path: itemsFile, DataSet: "items", Rows: int64(len(v.Items))},
		{Path: customersFile, DataSet: "customers", Rows: int64(len(v.Customers))},
		{Path: gramFile, DataSet: "gram"}, {Path: servingFile, DataSet: "serving"}, {Path: encoderFile, DataSet: "encoder"},
		{Path: reportFile, DataSet: "report"}, {Path: identityFile, DataSet: "identity"},
	}
	if v.Repeats != nil { // other versions are as they always were
		files = append(files, commit.File{Path: purchasesFile, DataSet: "purchases", Rows: int64(len(v.Customers))},
			commit.File{Path: repeatsFile, DataSet: "repeats"})
		err = errors.Join(writeRows(local(purchasesFile), "purchaseRow", v.Customers, toPurchaseRow),
			writeJSON(local(repeatsFile), repeatsOf(v)))
	}
	if v.Near != nil {
		files = append(files, commit.File{Path: nearItemsFile, DataSet: "near-items", Rows: int64(len(v.Items))},
			commit.File{Path: nearCustomersFile, DataSet: "near-customers", Rows: int64(len(v.Customers))})
		err = errors.Join(err, writeNear(v.Near, local(nearItemsFile), local(nearCustomersFile)))
	}
	if v.Together != nil {
		files = append(files, commit.File{Path: togetherFile, DataSet: "together", Rows: int64(len(v.Items))})
		err = errors.Join(err, writeRows(local(togetherFile), "nearRow", v.Together, toNearRow))
	}
	if v.Products != nil {
		files = append(files, commit.File{Path: productsFile, DataSet: "product-encoder"})
		err = errors.Join(err, writeJSON(local(productsFile), v.Products))
	}
	err = errors.Join(err,
		writeRows(local(itemsFile), "itemRow", v.Items, toItemRow),
		writeCustomers(local(customersFile), v.Customers),
		writeFloats(local(gramFile), v.Solver.Gram),
		writeJSON(local(servingFile), v.Solver),
		writeJSON(local(encoderFile), v.Encoder),
		writeJSON(local(reportFile), v.Report),
		writeJSON(local(identityFile), id),
	)
	if err != nil {
		return false, fmt.Errorf("write version %s: %w", v.ID, err)
	}
	_, changed, err = repo.Commit(ctx, commit.Draft{Kind: Kind, Run: v.ID, SchemaFingerprint: schemaFingerprint(format),
		Dir:    dir,
		Source: source{v.TrainingRun, v.TrainerVersion, v.Input, v.Learned, v.Shop},
		Files:  files})
	if err != nil {
		return false, fmt.Errorf("commit version %s: %w", v.ID, err)
	}
	return changed, nil
}

// Read loads a version whole and checks it; an empty id means the current one. It needs scratchDir
// for a copy of the files. An error is modelversion.ErrInvalid, ErrFormat, commit.ErrNoCurrent,
// commit.ErrCorrupt or the store's.
func Read(ctx context.Context, repo *commit.Repository, id, scratchDir string) (v *modelversion.Version, err error) {
	m, err := manifest(ctx, repo, id)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(scratchDir, "model-*")
	if err != nil {
		return nil, fmt.Errorf("read version %s: %w", m.Run, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, f := range m.Files {
		if err := repo.Fetch(ctx, m, f, filepath.Join(dir, filepath.FromSlash(f.Path))); err != nil {
			return nil, fmt.Errorf("read version %s: %w", m.Run, err)
		}
	}
	if v, err = load(dir); err != nil {
		return nil, fmt.Errorf("read version %s: %w", m.Run, err)
	}
	v.TrainedAt = m.CreatedAt
	from, err := sourceOf(m)
	if err != nil {
		return nil, err
	}
	v.Shop = from.Shop
	if v.ID != m.Run {
		return nil, fmt.Errorf("read version %s: its files say %s: %w", m.Run, v.ID, modelversion.ErrInvalid)
	}
	if err := v.Validate(); err != nil {
		return nil, err
	}
	return v, nil
}

// ReadSummary is Read without vectors: Items and Customers, Encoder and Gram stay empty. It reads a
// few kilobytes.
func ReadSummary(ctx context.Context, repo *commit.Repository, id,
	scratchDir string) (v *modelversion.Version, items, customers int64, err error) {
	m, err := manifest(ctx, repo, id)
	if err != nil {
		return nil, 0, 0, err
	}
	dir, err := os.MkdirTemp(scratchDir, "model-*")
	if err != nil {
		return nil, 0, 0, fmt.Errorf("read version %s: %w", m.Run, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, f := range m.Files {
		if f.Path != servingFile && f.Path != reportFile && f.Path != identityFile {
			continue
		}
		if err := repo.Fetch(ctx, m, f, filepath.Join(dir, f.Path)); err != nil {
			return nil, 0, 0, fmt.Errorf("read version %s: %w", m.Run, err)
		}
	}
	if v, _, err = loadSummary(dir); err != nil {
		return nil, 0, 0, fmt.Errorf("read version %s: %w", m.Run, err)
	}
	v.TrainedAt = m.CreatedAt
	from, err := sourceOf(m)
	if err != nil {
		return nil, 0, 0, err
	}
	v.Shop = from.Shop
	return v, m.Rows("items"), m.Rows("customers"), nil
}

// Ancestor is what the manifest of a version says.
type Ancestor struct {
	ID      string
	Input   string // see modelversion.Version
	Learned string // see modelversion.Version
	Shop    string // see modelversion.Version
}

// sourceOf reads what a manifest says of its version's origin.
func sourceOf(m commit.Manifest) (from source, err error) {
	if len(m.Source) == 0 {
		return from, nil
	}
	if err := json.Unmarshal(m.Source, &from); err != nil {
		return from, fmt.Errorf("read the manifest of version %s: %w", m.Run, err)
	}
	return from, nil
}

// Ancestors goes from the current version to the one that was current before it, and so on, at most
// limit of them. It ends where there is none or where an older run is gone.
func Ancestors(ctx context.Context, repo *commit.Repository, limit int) iter.Seq2[Ancestor, error] {
	return func(yield func(Ancestor, error) bool) {
		m, err := repo.Current(ctx)
		for range limit {
			if errors.Is(err, commit.ErrNoCurrent) || errors.Is(err, objectstore.ErrNotFound) {
				return
			}
			if err != nil {
				yield(Ancestor{}, fmt.Errorf("find earlier versions: %w", err))
				return
			}
			from, fault := sourceOf(m)
			if fault != nil {
				yield(Ancestor{}, fault)
				return
			}
			if !yield(Ancestor{m.Run, from.Input, from.Learned, from.Shop}, nil) || m.Parent == "" {
				return
			}
			m, err = repo.Manifest(ctx, m.Parent)
		}
	}
}

func manifest(ctx context.Context, repo *commit.Repository, id string) (m commit.Manifest, err error) {
	if id == "" {
		m, err = repo.Current(ctx)
	} else {
		m, err = repo.Manifest(ctx, id)
	}
	if err != nil {
		return m, fmt.Errorf("find model version: %w", err)
	}
	if err := checkKind(m); err != nil {
		return m, fmt.Errorf("find model version: %w", err)
	}
	return m, nil
}

// checkKind refuses what is no model version in a known format.
func checkKind(m commit.Manifest) error {
	known := false
	for format := numberedFormat; knownFormat(format); format++ {
		known = known || m.SchemaFingerprint == schemaFingerprint(format)
	}
	if m.Kind != Kind || !known {
		return fmt.Errorf("run %s is a %q with schema %q: %w", m.Run, m.Kind, m.SchemaFingerprint, ErrFormat)
	}
	return nil
}

func loadSummary(dir string) (*modelversion.Version, int, error) {
	local := func(name string) string { return filepath.Join(dir, name) }
	v, id := &modelversion.Version{}, identity{}
	err := errors.Join(readJSON(local(identityFile), &id), readJSON(local(servingFile), &v.Solver),
		readJSON(local(reportFile), &v.Report))
	if err != nil {
		return nil, 0, err
	}
	if !knownFormat(id.Format) {
		return nil, 0, fmt.Errorf("format %d: %w", id.Format, ErrFormat)
	}
	v.ID, v.TrainingRun, v.TrainerVersion = id.ID, id.TrainingRun, id.TrainerVersion
	v.Input, v.Learned, v.Previous = id.Input, id.Learned, id.Previous
	if id.Training != nil { // stored indented for people
		var compact bytes.Buffer
		if err := json.Compact(&compact, id.Training); err != nil {
			return nil, 0, err
		}
		v.Training = compact.Bytes()
	}
	return v, id.Format, nil
}

func load(dir string) (*modelversion.Version, error) {
	v, format, err := loadSummary(dir)
	if err != nil {
		return nil, err
	}
	local := func(name string) string { return filepath.Join(dir, name) }
	var itemsErr, customersErr, gramErr error
	v.Items, itemsErr = readRows(local(itemsFile), fromItemRow)
	v.Customers, customersErr = readCustomers(local(customersFile), format)
	v.Solver.Gram, gramErr = readFloats(local(gramFile))
	if err := errors.Join(itemsErr, customersErr, gramErr, readJSON(local(encoderFile), &v.Encoder)); err != nil {
		return nil, err
	}
	if format >= nearNumberedFormat {
		if v.Near, err = readNear(local(nearItemsFile), local(nearCustomersFile)); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(local(togetherFile)); err == nil {
		if v.Together, err = readLists(local(togetherFile)); err != nil {
			return nil, fmt.Errorf("read what is bought together: %w", err)
		}
	}
	products := &modelversion.ProductEncoder{}
	switch err := readJSON(local(productsFile), products); {
	case err == nil:
		v.Products = products
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return v, readRepeats(v, local(repeatsFile), local(purchasesFile))
}
