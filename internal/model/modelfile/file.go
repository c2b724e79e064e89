package modelfile

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/model/modelversion"
	"kindred/internal/platform/text"
)

// The files of a model version. None of them holds a time: the same model is the same bytes.
const (
	itemsFile     = "items.parquet"
	customersFile = "customers.parquet"
	gramFile      = "gram.f32" // Dim × Dim float32, little-endian, row-major
	servingFile   = "serving.json"
	encoderFile   = "encoder.json"
	reportFile    = "report.json"
	identityFile  = "version.json"
	// Only in versions with rules for what was bought before:
	purchasesFile = "purchases.parquet"
	repeatsFile   = "repeats.json"
	// Not in versions of before:
	productsFile = "product-encoder.json"
	// Only in versions that know what is bought together. A program that does not know the file leaves it out.
	togetherFile = "together.parquet"
	// Only in versions with neighbours:
	nearItemsFile     = "near-items.parquet"
	nearCustomersFile = "near-customers.parquet"
)

// createdBy is fixed, because the Parquet library's own text changes with the build, and equal rows
// must give equal bytes.
const createdBy = "kindred version 1"

// The versions of this layout: odd ones where customers have numbers. A reader refuses others.
const (
	numberedFormat = 1 // customers have numbers of 32 bits
	textFormat     = 2 // customers' ids are text
	// The same two with neighbours: a program that does not know these would leave them out.
	nearNumberedFormat = 3
	nearTextFormat     = 4
	// The same two where the order of clicks counts: a program that does not know these would ignore it.
	clicksNumberedFormat = 5
	clicksTextFormat     = 6
)

// formatOf is the layout that a version is written in.
func formatOf(v *modelversion.Version) int {
	format := textFormat
	if numbered(v.Customers) {
		format = numberedFormat
	}
	switch {
	case v.Solver.Clicks != nil:
		format += clicksNumberedFormat - numberedFormat
	case v.Near != nil:
		format += nearNumberedFormat - numberedFormat
	}
	return format
}

func knownFormat(format int) bool { return format >= numberedFormat && format <= clicksTextFormat }

// identity is what version.json holds.
type identity struct {
	Format         int             `json:"format"`
	ID             string          `json:"id"`
	TrainingRun    string          `json:"training_run"`
	TrainerVersion string          `json:"trainer_version"`
	Input          string          `json:"input"`
	Learned        string          `json:"learned,omitempty"`
	Previous       string          `json:"previous,omitempty"`
	Training       json.RawMessage `json:"training,omitempty"`
}

type itemRow struct {
	Code            string    `parquet:"product_code"`
	Name            string    `parquet:"name"`
	Line            string    `parquet:"line,dict"`
	QuantityInStock int32     `parquet:"quantity_in_stock"`
	Positives       int32     `parquet:"positives"`
	Origin          string    `parquet:"origin,dict"`
	Vector          []float32 `parquet:"vector,list"`
}

// customerRow is a customer whose id is text, or a number of 32 bits: the column has the type of
// the ids, so that older programs, which know only numbers, can read a version with numbers.
type customerRow[ID string | int32] struct {
	ID     ID        `parquet:"customer_number"`
	Origin string    `parquet:"origin,dict"`
	Vector []float32 `parquet:"vector,list"`
	Rated  []string  `parquet:"rated,list,dict"`
}

func toItemRow(i modelversion.Item) itemRow {
	return itemRow{i.Code, i.Name, i.Line, int32(i.QuantityInStock), i.Positives, string(i.Origin), i.Vector}
}

func fromItemRow(r itemRow) modelversion.Item {
	return modelversion.Item{Code: r.Code, Name: r.Name, Line: r.Line, QuantityInStock: int16(r.QuantityInStock),
		Positives: r.Positives,
		Origin:    modelversion.Origin(r.Origin), Vector: r.Vector}
}

func toCustomerRow(c modelversion.Customer) customerRow[string] {
	return customerRow[string]{c.ID, string(c.Origin), c.Vector, c.Rated}
}

func toNumberedRow(c modelversion.Customer) customerRow[int32] {
	n, _ := text.Integer(c.ID)
	return customerRow[int32]{int32(n), string(c.Origin), c.Vector, c.Rated}
}

func fromCustomerRow(r customerRow[string]) modelversion.Customer {
	return modelversion.Customer{ID: r.ID, Origin: modelversion.Origin(r.Origin), Vector: r.Vector, Rated: r.Rated}
}

func fromNumberedRow(r customerRow[int32]) modelversion.Customer {
	return modelversion.Customer{ID: strconv.Itoa(int(r.ID)), Origin: modelversion.Origin(r.Origin), Vector: r.Vector,
		Rated: r.Rated}
}

// numbered says whether all customers' ids are numbers of 32 bits.
func numbered(customers []modelversion.Customer) bool {
	for _, c := range customers {
		if n, whole := text.Integer(c.ID); !whole || int64(int32(n)) != n {
			return false
		}
	}
	return true
}

func writeCustomers(name string, customers []modelversion.Customer) error {
	if numbered(customers) {
		return writeRows(name, "customerRow", customers, toNumberedRow)
	}
	return writeRows(name, "customerRow", customers, toCustomerRow)
}

func readCustomers(name string, format int) ([]modelversion.Customer, error) {
	if format%2 == numberedFormat {
		return readRows(name, fromNumberedRow)
	}
	return readRows(name, fromCustomerRow)
}

// batchRows is how many rows are converted at once: conversion copies only slice headers, so it
// bounds nothing but those.
const batchRows = 4096

func writeRows[Row, Source any](name, row string, all []Source, convert func(Source) Row) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("create rows: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := parquet.NewGenericWriter[Row](file, &parquet.WriterConfig{CreatedBy: createdBy, Compression: &parquet.Snappy,
		DataPageVersion: 1, // every reader knows it
		Schema:          parquet.NewSchema(row, parquet.SchemaOf(*new(Row)))})
	batch := make([]Row, 0, batchRows)
	for len(all) > 0 {
		n := min(len(all), batchRows)
		batch = batch[:0]
		for _, source := range all[:n] {
			batch = append(batch, convert(source))
		}
		if _, err := w.Write(batch); err != nil {
			return fmt.Errorf("write rows: %w", err)
		}
		all = all[n:]
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("finish rows: %w", err)
	}
	return nil
}

func readRows[Row, Target any](name string, convert func(Row) Target) ([]Target, error) {
	rows, err := parquet.ReadFile[Row](name)
	if err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}
	all := make([]Target, len(rows))
	for i, r := range rows {
		all[i] = convert(r)
	}
	return all, nil
}

func writeJSON(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return os.WriteFile(name, append(data, '\n'), 0o644)
}

func readJSON(name string, v any) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

func writeFloats(name string, x []float32) error {
	data := make([]byte, 0, 4*len(x))
	for _, v := range x {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return os.WriteFile(name, data, 0o644)
}

func readFloats(name string) ([]float32, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if len(data)%4 != 0 {
		return nil, fmt.Errorf("%d bytes are not float32 values", len(data))
	}
	x := make([]float32, len(data)/4)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return x, nil
}
