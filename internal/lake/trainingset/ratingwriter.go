package trainingset

import (
	"slices"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/parquetfile"
	"kindred/internal/shop"
)

// ratingWriter encodes ratings. A row group is collected as small numbers: runs of customers, and
// for each row a product, the stars and the time. The attributes of customers and products are
// coded once, before the first rating, so that a row group's columns are table look-ups and no text
// is hashed or compared for a row.
type ratingWriter struct {
	parts      parts
	schema     *parquet.Schema
	limitBytes int64
	limitRows  int // of a row group
	file       *parquetfile.Writer

	ofCustomer []attribute
	ofProduct  []attribute
	ofStars    attribute

	customers dimension
	products  dimension
	ranks     dimension
	runs      []parquetfile.Run
	rows      []uint32 // the product of each row, as products numbers it
	stars     []uint32 // as ranks numbers them
	ratedAt   []int64
}

func newRatingWriter(dir string, keys Keys, customers []shop.Customer, products []shop.Product) *ratingWriter {
	texts, integers := (*parquetfile.Dictionary).Texts, (*parquetfile.Dictionary).Int32s
	amounts := (*parquetfile.Dictionary).Int64s
	ranks := make([]int32, 1<<8)
	for i := range ranks {
		ranks[i] = int32(int8(i))
	}
	return &ratingWriter{
		parts:  parts{dir: dir, dataSet: Ratings},
		schema: keys.ratings(), limitBytes: partBytes, limitRows: groupRows,
		ofCustomer: []attribute{
			codeKeys(keys.Customer, customers, func(c shop.Customer) string { return c.ID }),
			code(customers, texts, func(c shop.Customer) string { return c.City }),
			codeOptional(customers, texts, func(c shop.Customer) (string, bool) { return valueOf(c.State) }),
			codeOptional(customers, texts, func(c shop.Customer) (string, bool) { return valueOf(c.PostalCode) }),
			code(customers, texts, func(c shop.Customer) string { return c.Country }),
			codeOptional(customers, amounts, func(c shop.Customer) (int64, bool) {
				return valueOf((*int64)(c.CreditLimit))
			}),
		},
		ofProduct: []attribute{
			codeKeys(keys.Product, products, func(p shop.Product) string { return p.Code }),
			code(products, texts, func(p shop.Product) string { return p.Line }),
			code(products, texts, func(p shop.Product) string { return p.Scale }),
			code(products, integers, func(p shop.Product) int32 { return int32(p.QuantityInStock) }),
			code(products, amounts, func(p shop.Product) int64 { return int64(p.BuyPrice) }),
			code(products, amounts, func(p shop.Product) int64 { return int64(p.MSRP) }),
		},
		ofStars:   codeDistinct(ranks, integers, func(r int32) int32 { return r }),
		customers: newDimension(len(customers)), products: newDimension(len(products)), ranks: newDimension(len(ranks)),
	}
}

func (w *ratingWriter) write(ratings []Rating) error {
	for _, r := range ratings {
		if len(w.ratedAt) == cap(w.ratedAt) {
			w.grow()
		}
		customer := w.customers.number(uint32(r.Customer))
		if last := len(w.runs) - 1; last >= 0 && w.runs[last].Entity == customer {
			w.runs[last].Length++
		} else {
			w.runs = append(w.runs, parquetfile.Run{Entity: customer, Length: 1})
		}
		w.rows = append(w.rows, w.products.number(uint32(r.Product)))
		w.stars = append(w.stars, w.ranks.number(uint32(uint8(r.Stars))))
		if w.ratedAt = append(w.ratedAt, r.RatedAt); len(w.ratedAt) == w.limitRows {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// grow makes room for four times as many rows, up to a row group. append would leave more garbage.
func (w *ratingWriter) grow() {
	const first, times = 4096, 4
	more := min(max((times-1)*len(w.ratedAt), first), w.limitRows-len(w.ratedAt))
	w.rows, w.stars, w.ratedAt = slices.Grow(w.rows, more), slices.Grow(w.stars, more), slices.Grow(w.ratedAt, more)
}

// flush writes the row group, and ends the file when it is large enough.
func (w *ratingWriter) flush() error {
	if w.file == nil {
		if err := w.open(); err != nil {
			return err
		}
	}
	if err := w.writeGroup(); err != nil {
		return w.parts.wrap("write", err)
	}
	w.parts.wrote(len(w.ratedAt))
	w.customers.reset()
	w.products.reset()
	w.ranks.reset()
	w.runs, w.rows, w.stars, w.ratedAt = w.runs[:0], w.rows[:0], w.stars[:0], w.ratedAt[:0]
	if w.file.Size() >= w.limitBytes {
		return w.finish()
	}
	return nil
}

// writeGroup writes the columns in the schema's order.
func (w *ratingWriter) writeGroup() error {
	for _, a := range w.ofCustomer {
		d, table := a(w.customers.entities)
		if err := w.file.Runs(d, w.runs, table); err != nil {
			return err
		}
	}
	for _, a := range w.ofProduct {
		d, table := a(w.products.entities)
		if err := w.file.Packed(d, w.rows, table); err != nil {
			return err
		}
	}
	d, table := w.ofStars(w.ranks.entities)
	if err := w.file.Packed(d, w.stars, table); err != nil {
		return err
	}
	if err := w.file.Integers(w.ratedAt); err != nil {
		return err
	}
	return w.file.EndGroup()
}

func (w *ratingWriter) open() (err error) {
	if err := w.parts.open(); err != nil {
		return err
	}
	if w.file, err = parquetfile.New(w.parts.file, w.schema, createdBy); err != nil {
		return w.parts.wrap("write", err)
	}
	return nil
}

func (w *ratingWriter) finish() error {
	err := w.parts.finish(w.file.Close())
	w.file = nil
	return err
}

// close completes the last file. Without ratings there is one file too, with its columns.
func (w *ratingWriter) close() ([]commit.File, error) {
	var err error
	if len(w.ratedAt) > 0 {
		err = w.flush()
	} else if len(w.parts.files) == 0 {
		err = w.open()
	}
	if err != nil {
		return nil, err
	}
	if w.file != nil {
		if err := w.finish(); err != nil {
			return nil, err
		}
	}
	return w.parts.files, nil
}

// dimension numbers customers, products or stars in the order in which they first come in a row group.
type dimension struct {
	numbers  []uint32 // by entity; none: it has not come
	entities []uint32 // by number
}

const none = parquetfile.None

func newDimension(size int) dimension {
	d := dimension{numbers: make([]uint32, size)}
	for i := range d.numbers {
		d.numbers[i] = none
	}
	return d
}

func (d *dimension) number(entity uint32) uint32 {
	n := d.numbers[entity]
	if n == none {
		n = uint32(len(d.entities))
		d.numbers[entity] = n
		d.entities = append(d.entities, entity)
	}
	return n
}

func (d *dimension) reset() {
	for _, entity := range d.entities {
		d.numbers[entity] = none
	}
	d.entities = d.entities[:0]
}

// attribute gives a column's dictionary for the entities of a row group, and the code of each of them.
type attribute func(entities []uint32) (*parquetfile.Dictionary, []uint32)

// fill gives a dictionary its values.
type fill[Value any] func(*parquetfile.Dictionary, []Value) *parquetfile.Dictionary

// codeKeys is code for a key.
func codeKeys[Entity any](kind KeyType, all []Entity, id func(Entity) string) attribute {
	switch kind {
	case Int32:
		return codeDistinct(all, (*parquetfile.Dictionary).Int32s, func(e Entity) int32 { return fromID[int32](id(e)) })
	case Int64:
		return codeDistinct(all, (*parquetfile.Dictionary).Int64s, func(e Entity) int64 { return fromID[int64](id(e)) })
	}
	return codeDistinct(all, (*parquetfile.Dictionary).Texts, id)
}

// codeDistinct is code for an attribute that differs from entity to entity.
func codeDistinct[Entity, Value any](all []Entity, dictionary fill[Value], value func(Entity) Value) attribute {
	d, table, used := &parquetfile.Dictionary{}, []uint32{}, []Value{}
	return func(entities []uint32) (*parquetfile.Dictionary, []uint32) {
		table, used = table[:0], used[:0]
		for i, e := range entities {
			table, used = append(table, uint32(i)), append(used, value(all[e]))
		}
		return dictionary(d, used), table
	}
}

// code finds the distinct values of an attribute once.
func code[Entity any, Value comparable](all []Entity, dictionary fill[Value], value func(Entity) Value) attribute {
	return codeOptional(all, dictionary, func(e Entity) (Value, bool) { return value(e), true })
}

// codeOptional is code for an attribute that an entity may lack.
func codeOptional[Entity any, Value comparable](all []Entity, dictionary fill[Value],
	value func(Entity) (Value, bool)) attribute {
	codes, values, known := make([]uint32, len(all)), []Value{}, map[Value]uint32{}
	for i, e := range all {
		codes[i] = none
		if v, there := value(e); there {
			n, ok := known[v]
			if !ok {
				n = uint32(len(values))
				known[v], values = n, append(values, v)
			}
			codes[i] = n
		}
	}
	inGroup := newDimension(len(values))
	d, table, used := &parquetfile.Dictionary{}, []uint32{}, []Value{}
	return func(entities []uint32) (*parquetfile.Dictionary, []uint32) {
		table, used = table[:0], used[:0]
		for _, e := range entities {
			n := codes[e]
			if n != none {
				n = inGroup.number(n)
			}
			table = append(table, n)
		}
		for _, v := range inGroup.entities {
			used = append(used, values[v])
		}
		inGroup.reset()
		return dictionary(d, used), table
	}
}

// valueOf is what a pointer points to; there is false for nil.
func valueOf[Value any](v *Value) (value Value, there bool) {
	if v == nil {
		return value, false
	}
	return *v, true
}
