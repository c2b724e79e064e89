package mysqlsource

import "context"

// Estimate is how many ratings the server expects the snapshot's query to give, from its
// statistics: off by up to half for a table, by more for a mapping's own query. It reads no row.
func (s *Snapshot) Estimate(ctx context.Context) (rows int64, err error) {
	if s.mapping.Ratings == "" {
		return s.EstimateRatings(ctx)
	}
	err = s.guard(ctx, "estimate ratings", func() error {
		result, err := s.conn.Execute("EXPLAIN FORMAT=TRADITIONAL SELECT * FROM " + ratingsTable().from(s.mapping.Ratings))
		if err != nil {
			return err
		}
		defer result.Close()
		selects := map[int64]int64{} // a step's rows are for each row of the steps before it in the same SELECT
		for i := range result.RowNumber() {
			id, err := result.GetIntByName(i, "id")
			if err != nil {
				return err
			}
			step, err := result.GetIntByName(i, "rows")
			if err != nil {
				return err
			}
			selects[id] = max(selects[id], 1) * max(step, 1)
			rows = max(rows, selects[id])
		}
		return nil
	})
	return rows, err
}
