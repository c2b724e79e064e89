package mysqlsource

import (
	"context"
	"errors"
	"fmt"

	"kindred/internal/shop"
)

// RatingsIn calls rating for each rating of these customers in primary-key order, all stars in
// range. The ids and what RatedAt points to are valid during the call. To keep an id, clone it. The
// ids are the server's bytes, unchecked. An error of rating ends the reading and is returned as it
// is. A rating without a usable key or stars is left out; Faults counts it. The first of several
// ranges, and the only one, has those without customer. When the reading ends, the lock that an
// ALTER TABLE waits for is free again, except where KeepsLocks.
func (s *Snapshot) RatingsIn(ctx context.Context, customers Range, rating func(shop.Rating) error) error {
	t := ratingsTable()
	d := ratingDecoder{faults: &s.faults}
	if _, err := s.forms(ctx); err != nil { // SameProducts asks while the ratings come
		return err
	}
	err := s.guard(ctx, "read "+t.name, func() error {
		return s.unlocked(func() error {
			rows, fields, err := query(s.conn, s.queryOf(t, s.mapping.Ratings, customers.where()))
			if err != nil {
				return err
			}
			if err := t.check(fields); err != nil {
				return err
			}
			d.fields = fields
			return s.decodeAll(rows, &d, rating)
		})
	})
	return after(d.number, err)
}

func (s *Snapshot) decodeAll(rows *packets, d *ratingDecoder, rating func(shop.Rating) error) error {
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
}

// Ratings is RatingsIn for all customers.
func (s *Snapshot) Ratings(ctx context.Context, rating func(shop.Rating) error) error {
	return s.RatingsIn(ctx, Range{}, rating)
}

// Faults counts what the reading of all three data sets has found so far.
func (s *Snapshot) Faults() *shop.Faults { return &s.faults }

// after says how far a reading came.
func after(rows int64, err error) error {
	var mine callbackError
	switch {
	case errors.As(err, &mine):
		return mine.err
	case err != nil && rows > 0 && !errors.Is(err, ErrSchema):
		return fmt.Errorf("after row %d: %w", rows, err)
	}
	return err
}
