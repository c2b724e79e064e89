package mysqlsource

import (
	"context"
	"errors"
	"fmt"

	"kindred/internal/shop"
)

// RatingsIn calls rating for each rating of these customers in primary-key order, all stars in
// range. ProductCode and what RatedAt points to are valid during the call: whoever keeps the code
// clones it. An error of rating ends the reading and is returned as it is. A rating without key or
// with stars out of range is skipped; Faults counts it. The first of several ranges, and the only
// one, has those without customer.
func (s *Snapshot) RatingsIn(ctx context.Context, customers Range, rating func(shop.Rating) error) error {
	t := ratingsTable()
	d := decoder{table: t, faults: &s.faults}
	err := s.guard(ctx, "read "+t.name, func() error {
		rows, fields, err := query(s.conn, t.query(s.mapping.Ratings, customers.where()), s.cfg.ReadTimeout)
		if err != nil {
			return err
		}
		if err := t.check(fields); err != nil {
			return err
		}
		d.fields = fields
		for {
			packet, err := rows.next()
			if err != nil {
				return err
			}
			switch packet[0] {
			case eofHeader:
				return nil
			case errHeader:
				return s.conn.HandleErrorPacket(packet)
			}
			next, ok := d.decode(packet)
			if d.err != nil {
				return d.err
			}
			if !ok {
				continue
			}
			if err := rating(next); err != nil {
				return callbackError{err}
			}
		}
	})
	return after(d.number, err)
}

// Faults says what RatingsIn has skipped so far.
func (s *Snapshot) Faults() Faults { return s.faults }

const (
	columnCustomer = iota
	columnProduct
	columnStars
	columnRatedAt
)

// after says how far a reading came.
func after(rows int64, err error) error {
	var mine callbackError
	switch {
	case errors.As(err, &mine):
		return mine.err
	case err != nil && rows > 0 && !errors.Is(err, ErrData):
		return fmt.Errorf("after row %d: %w", rows, err)
	}
	return err
}
