package vectorstore

import (
	"context"
	"encoding/json"
	"errors"
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

// newestSQL is the newest of the visits that a query finds: as many as recommend.Newest leaves.
func newestSQL(visits string) string {
	return `SELECT session, event, customer, products, kinds, place, said FROM (
		SELECT n.*, sum(cardinality(products)) OVER (ORDER BY place DESC ROWS UNBOUNDED PRECEDING) - cardinality(products) AS newer
		FROM (` + visits + ` ORDER BY place DESC LIMIT ` + strconv.Itoa(recommend.LookedUp) + `) n) n
	WHERE newer < ` + strconv.Itoa(recommend.ClicksLookedUp)
}

// sessionsSQL asks for the newest visits of sessions, up to a place.
var sessionsSQL = `SELECT v.session, v.session, v.event, coalesce(v.customer, ''), v.products, v.kinds, v.place, v.said
	FROM unnest($1::text[]) AS a (session), LATERAL (` + newestSQL(`SELECT * FROM kindred.visit v
		WHERE v.session = a.session AND v.place <= $2::text::jsonb`) + `) v
	WHERE v.customer IS NULL OR NOT ` + forgottenSQL(`v.customer`, `v.said`)

// customersVisitsSQL asks for the newest visits of customers, up to a place: those that name the customer,
// and those of nobody in a session that these name, if it named this customer first.
var customersVisitsSQL = `SELECT a.customer, v.session, v.event, v.customer, v.products, v.kinds, v.place, v.said
	FROM unnest($1::text[]) AS a (customer), LATERAL (
		WITH named AS MATERIALIZED (SELECT session, event, customer, products, kinds, place, said FROM kindred.visit v
			WHERE v.customer = a.customer AND v.place <= $2::text::jsonb AND NOT ` + forgottenSQL(`v.customer`, `v.said`) + `
			ORDER BY v.place DESC LIMIT ` + strconv.Itoa(recommend.LookedUp) + `)
		` + newestSQL(`SELECT * FROM named
		UNION ALL
		SELECT w.session, w.event, '', w.products, w.kinds, greatest(w.place, l.place), w.said
		FROM (SELECT DISTINCT session FROM named WHERE session <> '') s,
			LATERAL (SELECT x.customer, x.place FROM kindred.visit x WHERE x.session = s.session AND x.customer IS NOT NULL
				AND NOT `+forgottenSQL(`x.customer`, `x.said`)+` ORDER BY x.place LIMIT 1) l,
			LATERAL (SELECT * FROM kindred.visit w WHERE w.session = s.session AND w.place <= $2::text::jsonb
				AND w.customer IS NULL ORDER BY w.place DESC LIMIT `+strconv.Itoa(recommend.LookedUp)+`) w
		WHERE l.customer = a.customer`) + `) v`

// everywhere is behind every place: jsonb compares an object so with a list.
const everywhere = `{}`

// queueKept adds a question about visits to a batch; found gets the answers.
func queueKept(batch *pgx.Batch, sql string, of []string, until activity.Order,
	found map[string][]activity.Visit) error {
	bound := everywhere
	if until != (activity.Order{}) {
		data, err := json.Marshal(until)
		if err != nil {
			return fmt.Errorf("encode the place up to which visits count: %w", err)
		}
		bound = string(data)
	}
	batch.Queue(sql, of, bound).Query(func(rows pgx.Rows) error {
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
	return nil
}

// visitsStored is how long visits are stored: as long as they count, for events that were on the stream as
// long.
const visitsStored = 2 * recommend.KeptFor

// pruneVisits deletes visits that are older, and those that are too many to be looked up: of a session, and
// of a customer without one.
func (s *Store) pruneVisits(ctx context.Context, now time.Time) error {
	const tooMany = `DELETE FROM kindred.visit WHERE (session, event) IN (SELECT o.session, o.event FROM (`
	err := errors.Join(
		s.deletePortions(ctx, `DELETE FROM kindred.visit WHERE ctid = ANY(ARRAY(SELECT ctid FROM kindred.visit
			WHERE (place ->> 0)::bigint < $2 LIMIT $1))`, now.Add(-visitsStored).UnixMicro()),
		s.deletePortions(ctx, tooMany+`SELECT session FROM kindred.visit WHERE session <> '' GROUP BY session HAVING count(*) > $2) l,
			LATERAL (SELECT session, event FROM kindred.visit v WHERE v.session = l.session ORDER BY v.place DESC OFFSET $2) o
			LIMIT $1)`, recommend.LookedUp),
		s.deletePortions(ctx, tooMany+`SELECT customer FROM kindred.visit WHERE session = '' GROUP BY customer HAVING count(*) > $2) l,
			LATERAL (SELECT session, event FROM kindred.visit v WHERE v.customer = l.customer AND v.session = ''
				ORDER BY v.place DESC OFFSET $2) o LIMIT $1)`, recommend.LookedUp))
	if err != nil {
		return fmt.Errorf("delete old visits: %w", unmigrated(err))
	}
	return nil
}

// deletedAtOnce is how many rows one statement deletes: so it holds their locks only for a moment.
const deletedAtOnce = 10_000

// deletePortions runs a statement that deletes at most $1 rows, until it finds fewer. Its other parameter is
// $2.
func (s *Store) deletePortions(ctx context.Context, sql string, arg any) error {
	for {
		tag, err := s.pool.Exec(ctx, sql, deletedAtOnce, arg)
		if err != nil || tag.RowsAffected() < deletedAtOnce {
			return err
		}
	}
}

// queue adds a statement to a batch whose fault ends the batch. Without a function of its own, pgx would
// pass over the fault.
func queue(batch *pgx.Batch, sql string, args ...any) {
	batch.Queue(sql, args...).Exec(func(pgconn.CommandTag) error { return nil })
}
