package vectorstore

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/serving/recommend"
)

// trendEpoch is when the ages of table trend begin, in unix seconds: the year 2026.
const trendEpoch = 1767225600

// clickRow is a click as the statement takes it.
type clickRow struct {
	Event   string  `json:"event"` // hexadecimal
	Product string  `json:"product"`
	At      float64 `json:"at"` // unix seconds
}

// seconds is a duration in SQL.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }

// writeClicksSQL counts clicks, a JSON list. Of the events, those count that were not counted before and are not
// too old. Both tables are written in the order of their keys, so that two writers do not wait for each other in
// a circle; and a product once, however many clicks it got.
var writeClicksSQL = `WITH said AS (
		SELECT decode(n.event, 'hex') AS event, n.product, least(n.at, extract(epoch FROM now())) - ` + strconv.Itoa(trendEpoch) + ` AS at
		FROM jsonb_to_recordset($1::text::jsonb) AS n (event text, product text, at float8)
		WHERE n.at > extract(epoch FROM now()) - ` + seconds(recommend.CountedFor) + `),
	counted AS (INSERT INTO kindred.trend_event (event, at)
		SELECT DISTINCT ON (event) event, to_timestamp(at + ` + strconv.Itoa(trendEpoch) + `) FROM said ORDER BY event
		ON CONFLICT DO NOTHING RETURNING event),
	last AS (SELECT max(at) AS at FROM said)
	INSERT INTO kindred.trend AS t (product, lately, usually)
	SELECT product, ` + chunkSQL(recommend.TrendHalfLife) + `, ` + chunkSQL(recommend.UsualHalfLife) + `
		FROM said JOIN counted USING (event) GROUP BY product ORDER BY product
	ON CONFLICT (product) DO UPDATE SET lately = ` + loggedSumSQL(`lately`) + `, usually = ` + loggedSumSQL(`usually`)

// chunkSQL is the logarithm of the sum of a chunk's clicks. By the last one of them, no power is too large.
func chunkSQL(halfLife time.Duration) string {
	h := seconds(halfLife) + `::float8`
	return `(SELECT l.at FROM last l) / ` + h + ` + ln(sum(power(2::float8, (at - (SELECT l.at FROM last l)) / ` + h + `))) / ln(2::float8)`
}

// loggedSumSQL adds two sums of which only the logarithms are known.
func loggedSumSQL(column string) string {
	return fmt.Sprintf(`greatest(t.%[1]s, excluded.%[1]s) + ln(1 + power(2::float8, greatest(-abs(t.%[1]s - excluded.%[1]s), -100))) / ln(2::float8)`,
		column)
}

// forgetEventsSQL deletes events that are too old to count again, more than a chunk adds.
var forgetEventsSQL = `DELETE FROM kindred.trend_event WHERE event IN (SELECT event FROM kindred.trend_event
	WHERE at < now() - interval '` + seconds(2*recommend.CountedFor) + ` seconds' ORDER BY at LIMIT 2000 FOR UPDATE SKIP LOCKED)`

// Count counts clicks, for what trends, in one round trip and one transaction. A click of an event that was counted
// before does not count again. Where the database is not migrated or the role may not write, nothing is counted.
func (s *Store) Count(ctx context.Context, clicks []recommend.Counted) error {
	if len(clicks) == 0 || !s.counts(ctx) {
		return nil
	}
	if err := s.mayWrite(ctx); err != nil {
		return err
	}
	rows := make([]clickRow, len(clicks))
	for i, c := range clicks {
		rows[i] = clickRow{hex.EncodeToString(c.Event[:]), c.Product, float64(c.At.UnixMicro()) / 1e6}
	}
	data, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("encode clicks: %w", err)
	}
	var batch pgx.Batch
	queue(&batch, writeClicksSQL, string(data))
	queue(&batch, forgetEventsSQL)
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("count %d clicks: %w", len(clicks), writeFault(err))
	}
	return nil
}

// counting is whether the store may count clicks, as far as it was asked.
type counting struct {
	may   bool
	asked time.Time
}

// askAgain is how long a store that may not count clicks does not ask again whether it may.
const askAgain = time.Minute

// counts says whether clicks can be counted: the database is migrated, and the role may write. Otherwise they are
// left out: nothing else depends on them.
func (s *Store) counts(ctx context.Context) bool {
	s.mu.Lock()
	known := s.counting
	s.mu.Unlock()
	if known.may || time.Since(known.asked) < askAgain {
		return known.may
	}
	var may bool
	err := s.pool.QueryRow(ctx, `SELECT coalesce(has_table_privilege(to_regclass('kindred.trend'), 'INSERT, UPDATE'), false)`,
		pgx.QueryExecModeSimpleProtocol).Scan(&may)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counting = counting{may && err == nil, time.Now()}
	return s.counting.may
}

// pruneTrends deletes products that were not clicked for so long that a click of then counts a thousandth.
func (s *Store) pruneTrends(ctx context.Context, now time.Time) error {
	err := errors.Join(
		s.deletePortions(ctx, `DELETE FROM kindred.trend WHERE ctid = ANY(ARRAY(SELECT ctid FROM kindred.trend
			WHERE usually < $2::float8 LIMIT $1))`, (float64(now.Unix())-trendEpoch)/recommend.UsualHalfLife.Seconds()-10),
		s.deletePortions(ctx, `DELETE FROM kindred.trend_event WHERE ctid = ANY(ARRAY(SELECT ctid FROM kindred.trend_event
			WHERE at < $2 LIMIT $1))`, now.Add(-2*recommend.CountedFor)))
	if err != nil {
		return fmt.Errorf("delete what trends no longer: %w", unmigrated(err))
	}
	return nil
}

// trendingSQL is recommend.Trend of the products that were clicked most lately, as code and score; place is that of
// the time in unix seconds among the arguments.
func trendingSQL(place string) string {
	clicks := func(column string, halfLife time.Duration) string {
		return `power(2::float8, greatest(t.` + column + ` - (` + place + `::float8 - ` + strconv.Itoa(trendEpoch) + `) / ` + seconds(halfLife) + `, -100))`
	}
	return `WITH hot AS MATERIALIZED (SELECT t.product, ` + clicks(`lately`, recommend.TrendHalfLife) + ` AS lately,
			` + clicks(`usually`, recommend.UsualHalfLife) + ` AS usually
			FROM kindred.trend t ORDER BY t.lately DESC LIMIT ` + strconv.Itoa(recommend.TrendsAmong) + `),
		expected AS (SELECT h.product, h.lately,
			greatest(h.usually - h.lately, 0) * (SELECT sum(lately) / sum(usually) FROM hot) AS clicks FROM hot h),
		scored AS (SELECT e.product, (e.lately - e.clicks) / sqrt(e.clicks + 1) AS score FROM expected e)
		SELECT product AS code, score::real FROM scored WHERE score >= ` + strconv.Itoa(recommend.LeastTrend)
}

// firstSeenSQL are the products that were seen first after the first reading of the shop, as code and score.
const firstSeenSQL = `SELECT n.id AS code, (1::float8 / row_number() OVER (ORDER BY n.first_seen DESC, n.id))::real AS score
	FROM kindred.product_state n WHERE n.first_seen > (SELECT min(first_seen) FROM kindred.product_state)`
