package vectorstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// visitRow is a row of table visit as the statement takes it.
type visitRow struct {
	Session  string               `json:"session"`
	Event    string               `json:"event"`
	Customer *string              `json:"customer"`
	Products []string             `json:"products"`
	Kinds    []activity.ClickKind `json:"kinds"`
	Place    activity.Order       `json:"place"`
	Said     activity.Order       `json:"said"`
}

// writeVisitsSQL adds rows, a JSON list. Of a key, the earliest one counts that is not forgotten.
var writeVisitsSQL = `INSERT INTO kindred.visit AS v (session, event, customer, products, kinds, place, said)
	SELECT DISTINCT ON (session, event) n.* FROM jsonb_to_recordset($1::text::jsonb) AS n (session text, event text, customer text, products text[],
			kinds text[], place jsonb, said jsonb)
		WHERE n.customer IS NULL OR NOT ` + forgottenSQL(`n.customer`, `n.said`) + ` ORDER BY session, event, place
	ON CONFLICT (session, event) DO UPDATE SET customer = excluded.customer, products = excluded.products,
		kinds = excluded.kinds, place = excluded.place, said = excluded.said WHERE excluded.place < v.place`

// queueVisits adds visits to a batch.
func queueVisits(batch *pgx.Batch, visits []activity.Visit) error {
	rows := make([]visitRow, len(visits))
	for i, v := range visits {
		rows[i] = visitRow{v.Session, v.EventID, nil, make([]string, len(v.Clicks)),
			make([]activity.ClickKind, len(v.Clicks)), v.Place, v.Order}
		if v.Customer != "" {
			rows[i].Customer = &v.Customer
		}
		for n, c := range v.Clicks {
			rows[i].Products[n], rows[i].Kinds[n] = c.Product, c.Kind
		}
	}
	data, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("encode visits: %w", err)
	}
	queue(batch, writeVisitsSQL, string(data))
	return nil
}

// sessionsSQL asks for the newest visits of sessions.
var sessionsSQL = `SELECT v.session, v.session, v.event, coalesce(v.customer, ''), v.products, v.kinds, v.place, v.said
	FROM unnest($1::text[]) AS a (session), LATERAL (SELECT * FROM kindred.visit v WHERE v.session = a.session
		ORDER BY v.place DESC LIMIT ` + strconv.Itoa(recommend.LookedUp) + `) v
	WHERE v.customer IS NULL OR NOT ` + forgottenSQL(`v.customer`, `v.said`)

// customersVisitsSQL asks for the newest visits of customers: those that name the customer, and those of
// nobody in a session that named this customer first.
var customersVisitsSQL = `SELECT a.customer, v.session, v.event, v.customer, v.products, v.kinds, v.place, v.said
	FROM unnest($1::text[]) AS a (customer), LATERAL (
		SELECT session, event, customer, products, kinds, place, said FROM kindred.visit v
		WHERE v.customer = a.customer AND NOT ` + forgottenSQL(`v.customer`, `v.said`) + `
		UNION ALL
		SELECT w.session, w.event, '', w.products, w.kinds, greatest(w.place, l.place), w.said
		FROM kindred.visit l JOIN kindred.visit w ON w.session = l.session AND w.customer IS NULL
		WHERE l.customer = a.customer AND l.session <> '' AND NOT ` + forgottenSQL(`l.customer`, `l.said`) + `
			AND NOT EXISTS (SELECT FROM kindred.visit x WHERE x.session = l.session AND x.customer IS NOT NULL
				AND x.place < l.place)
		ORDER BY place DESC LIMIT ` + strconv.Itoa(recommend.LookedUp) + `) v`

// queueKept adds a question about visits to a batch; found gets the answers.
func queueKept(batch *pgx.Batch, sql string, of []string, found map[string][]activity.Visit) {
	batch.Queue(sql, of).Query(func(rows pgx.Rows) error {
		var whose string
		var v activity.Visit
		var products []string
		var kinds []activity.ClickKind
		var place, said []byte
		_, err := pgx.ForEachRow(rows, []any{&whose, &v.Session, &v.EventID, &v.Customer, &products, &kinds, &place, &said},
			func() error {
				if err := json.Unmarshal(place, &v.Place); err != nil {
					return err
				}
				if err := json.Unmarshal(said, &v.Order); err != nil {
					return err
				}
				v.Clicks = make([]activity.Click, len(products))
				for i := range products {
					v.Clicks[i] = activity.Click{Product: products[i], Kind: kinds[i]}
				}
				found[whose] = append(found[whose], v)
				return nil
			})
		return err
	})
}

// visitsStored is how long visits are stored: as long as they count, for events that were on the stream as
// long.
const visitsStored = 2 * recommend.KeptFor

// pruneVisits deletes visits that are older, and those of a session that are too many to be looked up.
func (s *Store) pruneVisits(ctx context.Context, now time.Time) error {
	var batch pgx.Batch
	queue(&batch, `DELETE FROM kindred.visit WHERE (place ->> 0)::bigint < $1`, now.Add(-visitsStored).UnixMicro())
	queue(&batch, `DELETE FROM kindred.visit v USING (SELECT session, event,
			row_number() OVER (PARTITION BY session ORDER BY place DESC) AS number FROM kindred.visit WHERE session <> '') n
		WHERE n.session = v.session AND n.event = v.event AND n.number > $1`, recommend.LookedUp)
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("delete old visits: %w", unmigrated(err))
	}
	return nil
}

// queue adds a statement to a batch whose fault ends the batch. Without a function of its own, pgx would
// pass over the fault.
func queue(batch *pgx.Batch, sql string, args ...any) {
	batch.Queue(sql, args...).Exec(func(pgconn.CommandTag) error { return nil })
}
