package vectorstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"

	"kindred/internal/model/modelversion"
	"kindred/internal/model/projection"
)

// ErrNoMap says that a version has no map of its products: an earlier program loaded it, or its products do not
// spread in two directions.
var ErrNoMap = errors.New("the version has no map of its products")

// createMap makes the table with the two axes on which a version's products are drawn. Only people look at it: a
// version without it answers as well.
func createMap(ctx context.Context, tx pgx.Tx, schema string, v *modelversion.Version) error {
	axes := projection.Of(v.Items)
	if axes == nil {
		return nil
	}
	table := schema + `.map`
	if err := execAll(ctx, tx, `CREATE TABLE `+table+` (axis smallint PRIMARY KEY, share double precision NOT NULL,
		embedding vector NOT NULL)`, `COMMENT ON TABLE `+table+` IS '`+markOf(v.ID)+`'`); err != nil {
		return err
	}
	for i, a := range axes {
		if _, err := tx.Exec(ctx, `INSERT INTO `+table+` VALUES ($1, $2, $3)`, i, a.Share,
			pgvector.NewVector(a.Vector)); err != nil {
			return err
		}
	}
	return nil
}

// Mapped is a product on a map.
type Mapped struct {
	ID        string
	Name      string
	Category  string // the first one; empty: none is known
	Positives int64  // customers who like it
	X, Y      float64
}

// Map is products on the two axes of the live version.
type Map struct {
	Version  string
	Shares   [2]float64 // of the products' variance, along X and Y
	Products []Mapped   // the most liked first
}

// ProductMap draws the most liked products of the live version, as many as limit says, and those of also. It reads
// the whole table item: some tenths of a second for a million products. Errors: ErrNoLiveVersion, ErrNoMap.
func (s *Store) ProductMap(ctx context.Context, also []string, limit int) (drawn Map, err error) {
	m, err := s.live(ctx)
	if err != nil {
		return drawn, fmt.Errorf("draw products: %w", err)
	}
	drawn.Version = m.Version
	rows, err := s.pool.Query(ctx, `SELECT share FROM `+m.schema+`.map ORDER BY axis`)
	if err == nil {
		var shares []float64
		shares, err = pgx.CollectRows(rows, pgx.RowTo[float64])
		copy(drawn.Shares[:], shares)
	}
	if undefined(err) {
		return drawn, ErrNoMap
	}
	if err != nil {
		return drawn, fmt.Errorf("draw products: %w", err)
	}
	if also == nil {
		also = []string{} // nil would be NULL
	}
	rows, err = s.pool.Query(ctx, `SELECT i.code, coalesce(p.name, i.name), coalesce(p.categories[1], i.line),
			i.positives::bigint,
			-(i.embedding <#> x.embedding) / vector_norm(i.embedding), -(i.embedding <#> y.embedding) / vector_norm(i.embedding)
		FROM ((SELECT * FROM `+m.schema+`.item ORDER BY positives DESC, code LIMIT $1)
			UNION ALL SELECT * FROM `+m.schema+`.item WHERE code = ANY($2)) i
		JOIN `+m.schema+`.map x ON x.axis = 0 JOIN `+m.schema+`.map y ON y.axis = 1
		LEFT JOIN kindred.product_state p ON p.id = i.code
		WHERE vector_norm(i.embedding) > 0 ORDER BY i.positives DESC, i.code`, limit, also)
	if err == nil {
		drawn.Products, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Mapped])
	}
	if err != nil {
		return drawn, fmt.Errorf("draw products: %w", err)
	}
	drawn.Products = slices.CompactFunc(drawn.Products, func(a, b Mapped) bool { return a.ID == b.ID })
	return drawn, nil
}
