package recommend

import (
	"cmp"
	"crypto/sha256"
	"math"
	"strconv"
	"time"

	"kindred/internal/stream/activity"
)

// A product trends if it is clicked more often lately than usual (docs/decisions/0073).
const (
	// TrendHalfLife is after how long a click counts half, of those that count lately.
	TrendHalfLife = 10 * time.Minute
	// UsualHalfLife is the same of those that count as usual: a day and a night weigh about the same.
	UsualHalfLife = 24 * time.Hour
	// CountedFor is how old a click may be when it is counted: an event that comes again within this time does
	// not count again.
	CountedFor = time.Hour
	// LeastTrend is the least score of a product that trends: so many standard deviations more clicks than
	// usual, if they come at random.
	LeastTrend = 1
	// TrendsAmong is how many products are looked at: those that were clicked most lately.
	TrendsAmong = 1000
)

// Counted is a click that counts for what trends.
type Counted struct {
	Event   [16]byte // the same for an event that comes again
	Product string
	At      time.Time // when it came
}

// Clicks appends what an event from a stream counts: what is new in it. Of a record that says all of its session
// that is the last product.
func Clicks(dst []Counted, e *activity.Event) []Counted {
	if e.Place == (activity.Order{}) {
		return dst
	}
	id := e.EventID
	if e.Visit != nil {
		id = e.Visit.EventID
	}
	id = cmp.Or(id, e.Place.Sequence+"."+strconv.FormatInt(e.Place.Sub, 10))
	sum := sha256.Sum256([]byte(e.SessionID + "\x00" + id))
	add := func(product string) {
		dst = append(dst, Counted{Event: [16]byte(sum[:16]), Product: product, At: e.Place.At})
	}
	switch n := len(e.BrowseHistory); {
	case e.Visit != nil:
		for _, c := range e.Visit.Clicks {
			if c.Kind != activity.ClickRemove {
				add(c.Product)
			}
		}
	case e.Answered() && n > 0:
		add(string(e.BrowseHistory[n-1].ProductCode))
	}
	return dst
}

// Trend is how far a product's clicks of late exceed the usual ones, in standard deviations. lately and usually
// are its clicks, each by its half-life, and the totals are those of all products that are looked at. What
// was clicked lately is not usual yet. Shares are compared, so that a busy evening alone lets nothing trend.
func Trend(lately, usually, totalLately, totalUsually float64) float64 {
	expected := 0.0
	if totalUsually > 0 {
		expected = max(usually-lately, 0) * totalLately / totalUsually
	}
	return (lately - expected) / math.Sqrt(expected+1)
}
