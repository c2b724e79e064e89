package vectorstore

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/pgcopy"
	"kindred/internal/serving/recommend"
)

// A version with an encoder of products has tables for what it does not know: see
// migration/repeated/encode_products.sql.

// lockProducts makes writers of the state of products wait until the transaction ends, and waits for
// those who write now.
const lockProducts = `SELECT kindred.lock_products(true)`

// createNewItems makes those tables, and gives vectors to the products of which something was said. From
// then on, until the transaction ends, nobody writes the state of products.
func createNewItems(ctx context.Context, tx pgx.Tx, schema string, v *modelversion.Version) error {
	if v.Products == nil {
		return nil
	}
	vector := `vector(` + strconv.Itoa(v.Solver.Dim) + `)`
	for name, columns := range map[string]string{
		`feature`:  `name text COLLATE "C" PRIMARY KEY, embedding ` + vector + ` NOT NULL`,
		`number`:   `name text COLLATE "C" PRIMARY KEY, edges float8[] NOT NULL`,
		`new_item`: `code text COLLATE "C" PRIMARY KEY, embedding ` + vector + ` NOT NULL`,
	} {
		table := schema + `.` + name
		if err := execAll(ctx, tx, `CREATE TABLE `+table+` (`+columns+`)`,
			`COMMENT ON TABLE `+table+` IS '`+markOf(v.ID)+`'`); err != nil {
			return err
		}
	}
	names := append([]string{""}, slices.Sorted(maps.Keys(v.Products.Weights))...)
	err := copyTable(ctx, tx, schema+`.feature (name, embedding)`, 2, func(row *pgcopy.Row) bool {
		if len(names) == 0 {
			return false
		}
		row.Text(names[0])
		if names[0] == "" {
			row.Vector(v.Products.Bias)
		} else {
			row.Vector(v.Products.Weights[names[0]])
		}
		names = names[1:]
		return true
	})
	if err != nil {
		return err
	}
	for name, edges := range v.Products.Edges {
		if _, err := tx.Exec(ctx, `INSERT INTO `+schema+`.number VALUES ($1, $2)`, name, edges); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `SELECT kindred.encode_products($1, NULL) FROM kindred.lock_products(true)`, schema)
	return err
}

// origin is the SQL of the vector of product $1.
func (m *model) origin() string {
	vector := `SELECT embedding FROM ` + m.schema + `.item WHERE code = $1`
	if m.state.newItems {
		vector += ` UNION ALL SELECT embedding FROM ` + m.schema + `.new_item WHERE code = $1`
	}
	return `(` + vector + `)`
}

// newSQL begins a question for products that the version does not know and that can be bought.
func (m *model) newSQL(columns string) string {
	return `SELECT ` + columns + ` FROM ` + m.schema + `.new_item n JOIN kindred.product_state s ON s.id = n.code
		WHERE s.available AND NOT s.hidden AND `
}

// queueNewSearch adds the question of a search for new products to a batch; found gets them.
func (m *model) queueNewSearch(batch *pgx.Batch, q recommend.Search, found *[]recommend.Candidate) {
	if q.New == 0 || !m.state.newItems {
		return
	}
	exclude, seenBy := q.Exclude, (*time.Time)(nil)
	if exclude == nil {
		exclude = []string{}
	}
	if !q.SeenBy.IsZero() {
		seenBy = &q.SeenBy
	}
	score, order, args := `0::real`, `s.first_seen DESC`, []any{exclude, seenBy}
	if q.Vector != nil {
		score, order, args = `(0 - (n.embedding <#> $3))::real`, `score DESC`, append(args, pgvector.NewVector(q.Vector))
	}
	batch.Queue(m.newSQL(`-1, n.code, `+score+` AS score, n.embedding, NULL::bigint`)+
		`n.code <> ALL ($1) AND ($2::timestamptz IS NULL OR s.first_seen <= $2) ORDER BY `+order+`, n.code LIMIT `+
		strconv.Itoa(min(q.New, recommend.MaxLimit)), args...).Query(func(rows pgx.Rows) (err error) {
		*found, _, err = readCandidates(rows)
		return err
	})
}

// queueNewNeighbours is queueNewSearch of a neighbours question.
func (m *model) queueNewNeighbours(batch *pgx.Batch, q recommend.Neighbours, found *[]recommend.Similar) {
	if !m.state.newItems {
		return
	}
	batch.Queue(m.newSQL(`n.code, (n.embedding <=> `+m.origin()+`)::real AS distance`)+
		`n.code <> $1 AND EXISTS `+m.origin()+` ORDER BY distance, n.code LIMIT `+
		strconv.Itoa(min(q.Limit, recommend.MaxLimit)), q.Code).Query(func(rows pgx.Rows) (err error) {
		*found, err = readSimilar(rows)
		return err
	})
}

// queueNewItems asks for the new products of a version whose state was written since; found gets them.
func (m *model) queueNewItems(batch *pgx.Batch, since Since, found map[string][]recommend.NewItem) {
	if !m.newItems {
		return
	}
	batch.Queue(`SELECT n.code, n.embedding, coalesce(s.available AND NOT s.hidden, false), `+factList(``)+`
		FROM kindred.catalogue k, kindred.product_state s JOIN `+m.schema+`.new_item n ON n.code = s.id
		WHERE s.transaction >= CASE WHEN k.generation::text = $1 THEN $2::text::xid8 ELSE '0' END
			AND s.transaction < '18446744073709551615'::xid8`, since.generation, since.from()).Query(func(rows pgx.Rows) (err error) {
		var it recommend.NewItem
		var v pgvector.Vector
		var row factRow
		_, err = pgx.ForEachRow(rows, append([]any{&it.Code, &v, &it.Shown}, row.columns()...), func() error {
			if it.Facts, err = row.take(); err != nil {
				return err
			}
			it.Vector = v.Slice()
			it.FirstSeen, it.Facts.ID, it.Facts.Available = it.Facts.FirstSeen, it.Code, true
			found[m.Version] = append(found[m.Version], it)
			return nil
		})
		return err
	})
}

// newItemsOf is how a version's schema holds its new products, for damage; nil: it does not.
func newItemsOf(has bool) columns {
	if !has {
		return nil
	}
	return columns{"feature": {"name", "embedding"}, "number": {"name", "edges"}, "new_item": {"code", "embedding"}}
}
