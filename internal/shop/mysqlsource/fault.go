package mysqlsource

// Faults counts the ratings that were skipped because they are none.
type Faults struct {
	MissingKey int64 `json:"missing_key"` // no customer number or no product code
	StarsRange int64 `json:"stars_range"` // no stars, or not from 1 to 5
	// the first one, by its row's number: "row 4 of ratings: productRating is not from 1 to 5"
	First string `json:"first"`
}
