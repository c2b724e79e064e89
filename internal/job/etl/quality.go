package etl

import (
	"fmt"
	"strings"

	"kindred/internal/shop/mysqlsource"
)

// Counts is what the ratings were measured by.
type Counts struct {
	Read            int64  `json:"read"`               // all ratings of the source
	MissingKey      int64  `json:"missing_key"`        // no customer number or no product code; left out
	StarsRange      int64  `json:"stars_out_of_range"` // not from 1 to 5, or none; left out
	UnknownCustomer int64  `json:"unknown_customer"`   // left out; one that lacks both counts here
	UnknownProduct  int64  `json:"unknown_product"`    // left out
	Duplicate       int64  `json:"duplicate"`          // the pair was there before; left out
	FutureDate      int64  `json:"future_date"`        // rated more than a day after the reading; kept
	FirstFault      string `json:"first_fault,omitempty"`
}

// faulty is a source that skips and counts the ratings that are none.
type faulty interface {
	// Faults says what was skipped.
	Faults() mysqlsource.Faults
}

// countFaults adds what the source itself skipped. good is the ratings that it gave.
func (c *Counts) countFaults(from source, good int64) {
	c.Read = good
	if s, ok := from.(faulty); ok {
		f := s.Faults()
		c.MissingKey, c.StarsRange, c.FirstFault = f.MissingKey, f.StarsRange, f.First
		c.Read += f.MissingKey + f.StarsRange
	}
}

// add sums up the counts of partitions.
func (c *Counts) add(other Counts) {
	c.Read += other.Read
	c.MissingKey += other.MissingKey
	c.StarsRange += other.StarsRange
	c.UnknownCustomer += other.UnknownCustomer
	c.UnknownProduct += other.UnknownProduct
	c.Duplicate += other.Duplicate
	c.FutureDate += other.FutureDate
	if c.FirstFault == "" {
		c.FirstFault = other.FirstFault
	}
}

func (c Counts) orphans() int64 { return c.UnknownCustomer + c.UnknownProduct }

// leftOut is the ratings that are in no file.
func (c Counts) leftOut() int64 { return c.MissingKey + c.StarsRange + c.orphans() + c.Duplicate }

// Limits are the shares of the ratings, 0 to 1, up to which a rule may be broken. More of them
// refuse the set, and the old one stays.
type Limits struct {
	MissingKeys float64 `name:"max-missing-keys" default:"0" help:"Share of ratings, 0 to 1, that may lack their customer number or product code; they are left out." json:"missing_keys"`
	StarsRange  float64 `name:"max-bad-stars" default:"0" help:"Share of ratings that may not be 1 to 5 stars; they are left out." json:"bad_stars"`
	Orphans     float64 `name:"max-orphans" default:"0.01" help:"Share of ratings that may name a missing customer or product; they are left out." json:"orphans"`
	Duplicates  float64 `name:"max-duplicates" default:"0" help:"Share of ratings that may repeat an earlier one's customer and product; they are left out." json:"duplicates"`
	FutureDates float64 `name:"max-future-dates" default:"0.01" help:"Share of ratings that may be dated more than a day ahead of now; they are kept." json:"future_dates"`
}

// Validate reports every share that is none, NaN too.
func (l Limits) Validate() error {
	var problems []string
	for _, r := range rules(Counts{}, l) {
		if !(r.limit >= 0 && r.limit <= 1) {
			problems = append(problems, fmt.Sprintf("--%s is %g, want 0 to 1", r.flag, r.limit))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%s", strings.Join(problems, "; "))
	}
	return nil
}

// rule is one declared rule with what was found.
type rule struct {
	flag  string
	what  string // "n of m ratings …"
	count int64
	limit float64
	first bool // FirstFault is about it
}

func rules(c Counts, l Limits) []rule {
	return []rule{
		{"max-missing-keys", "lack a customer number or a product code", c.MissingKey, l.MissingKeys, true},
		{"max-bad-stars", "are not from 1 to 5 stars", c.StarsRange, l.StarsRange, true},
		{"max-orphans", fmt.Sprintf("have no customer or no product (%d customer unknown, %d product unknown)",
			c.UnknownCustomer, c.UnknownProduct),
			c.orphans(), l.Orphans, false},
		{"max-duplicates", "repeat a customer and product", c.Duplicate, l.Duplicates, false},
		{"max-future-dates", "are dated in the future", c.FutureDate, l.FutureDates, false},
	}
}

// check reports, in one sentence, every rule that is broken beyond its limit.
func (c Counts) check(l Limits) error {
	if c.Read == 0 {
		return fmt.Errorf("%w: there are no ratings", ErrEmpty)
	}
	var broken []string
	for _, r := range rules(c, l) {
		if float64(r.count) <= r.limit*float64(c.Read) {
			continue
		}
		sentence := fmt.Sprintf("%d of %d ratings %s, at most %.3g %% may (--%s)", r.count, c.Read,
			r.what, 100*r.limit, r.flag)
		if r.first && c.FirstFault != "" {
			sentence += ", first " + c.FirstFault
		}
		broken = append(broken, sentence)
	}
	if len(broken) == 0 && c.leftOut() == c.Read {
		broken = []string{"not one rating is left"}
	}
	if len(broken) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s; the old training set stays", ErrQuality, strings.Join(broken, "; "))
}
