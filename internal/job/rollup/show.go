package rollup

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/rollup"
	"kindred/internal/stream/latency"
)

// ShownHours is how many hours a summary has one by one.
const ShownHours = 7 * 24

// Summary is what the current roll-up says, as of one moment.
type Summary struct {
	Run        string           `json:"run"`
	AsOf       time.Time        `json:"as_of"` // all that had been delivered by then is counted
	First      time.Time        `json:"first"` // hour of the oldest record; zero: there is none
	Objects    int64            `json:"objects"`
	Records    int64            `json:"records"`
	Unreadable int64            `json:"unreadable"`       // lines that hold no record
	Unknown    int64            `json:"unknown_products"` // products of events that the answering version does not know
	Sources    map[string]int64 `json:"sources"`
	Versions   map[string]int64 `json:"versions"`
	Letters    map[string]int64 `json:"letters"` // dead letters by reason
	Indexed    int64            `json:"indexed"` // entries of the index
	Segments   int              `json:"segments"`
	LatencyMS  Percentiles      `json:"latency_ms"` // of the last 31 days
	Hours      []HourSum        `json:"hours"`      // the last ones with records, oldest first
}

// Percentiles of latencies, in milliseconds.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// HourSum sums an hour up.
type HourSum struct {
	At        time.Time   `json:"at"` // its beginning
	Records   int64       `json:"records"`
	Unknown   int64       `json:"unknown_products"`
	LatencyMS Percentiles `json:"latency_ms"`
}

// Reader reads the current roll-up, for somebody who asks again and again. It is safe for concurrent use.
type Reader struct {
	records objectstore.Store
	repo    *commit.Repository

	mu   sync.Mutex
	last *Summary // that was read
}

// NewReader makes a reader of the roll-ups of a lake, about records. It makes no request.
func NewReader(records, lake objectstore.Store) *Reader {
	return &Reader{records: records, repo: rollup.Repository(lake)}
}

// Summary sums the current roll-up up. The caller does not change it. commit.ErrNoCurrent before the first one.
func (r *Reader) Summary(ctx context.Context) (*Summary, error) {
	m, d, err := rollup.Current(ctx, r.repo)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	last := r.last
	r.mu.Unlock()
	if last != nil && last.Run == m.Run {
		return last, nil
	}
	whole, err := rollup.Read(ctx, r.repo, m, d)
	if err != nil {
		return nil, err
	}
	summary := summarize(whole)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = summary
	return summary, nil
}

// Recent says until when everything was read, and which delivered objects of the last hours are among it.
// commit.ErrNoCurrent before the first roll-up.
func (r *Reader) Recent(ctx context.Context) (asOf time.Time, keys []string, err error) {
	m, d, err := rollup.Current(ctx, r.repo)
	if err != nil {
		return asOf, nil, err
	}
	keys, err = rollup.Recent(ctx, r.repo, m)
	return d.AsOf, keys, err
}

func summarize(r *rollup.Rollup) *Summary {
	s := &Summary{Run: r.Run, AsOf: r.AsOf, Objects: r.Objects, Records: r.Records, Unreadable: r.Unreadable,
		Sources: map[string]int64{}, Versions: map[string]int64{}, Letters: r.Letters, Segments: len(r.Segments)}
	for _, segment := range r.Segments {
		s.Indexed += segment.Entries
	}
	for _, h := range r.Hours { // by hour
		s.Unknown += h.Unknown
		s.Sources[h.Source] += h.Records
		s.Versions[h.Version] += h.Records
		if last := len(s.Hours) - 1; last < 0 || !s.Hours[last].At.Equal(h.At) {
			s.Hours = append(s.Hours, HourSum{At: h.At.UTC()})
		}
		sum := &s.Hours[len(s.Hours)-1]
		sum.Records, sum.Unknown = sum.Records+h.Records, sum.Unknown+h.Unknown
	}
	if len(s.Hours) > 0 {
		s.First = s.Hours[0].At
	}
	s.Hours = s.Hours[max(0, len(s.Hours)-ShownHours):]
	s.measure(r.Latencies)
	return s
}

// measure fills in the percentiles.
func (s *Summary) measure(latencies []rollup.Latency) {
	var all latency.Histogram
	i := 0
	for len(latencies) > 0 {
		n := 0
		var hour latency.Histogram
		for ; n < len(latencies) && latencies[n].At.Equal(latencies[0].At); n++ {
			hour.AddMany(latencies[n].MS, latencies[n].Records)
		}
		for i < len(s.Hours) && s.Hours[i].At.Before(latencies[0].At) {
			i++
		}
		if i < len(s.Hours) && s.Hours[i].At.Equal(latencies[0].At) {
			s.Hours[i].LatencyMS = percentiles(&hour)
		}
		all.Merge(&hour)
		latencies = latencies[n:]
	}
	s.LatencyMS = percentiles(&all)
}

func percentiles(h *latency.Histogram) Percentiles {
	return Percentiles{P50: h.Quantile(0.5), P99: h.Quantile(0.99)}
}

// String is the summary for people.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Roll-up %s, as of %s: %d records in %d objects", s.Run, s.AsOf.Format(time.RFC3339), s.Records,
		s.Objects)
	if !s.First.IsZero() {
		fmt.Fprintf(&b, " since %s", s.First.Format(time.RFC3339))
	}
	fmt.Fprintf(&b, ".\n  latency of the last 31 days: p50 %.0f ms, p99 %.0f ms\n", s.LatencyMS.P50, s.LatencyMS.P99)
	for _, group := range []struct {
		name   string
		counts map[string]int64
	}{{"source", s.Sources}, {"version", s.Versions}, {"dead letters", s.Letters}} {
		for _, name := range sortedNames(group.counts) {
			fmt.Fprintf(&b, "  %s %s: %d\n", group.name, name, group.counts[name])
		}
	}
	fmt.Fprintf(&b, "  the index has %d entries in %d segments", s.Indexed, s.Segments)
	if s.Unreadable > 0 {
		fmt.Fprintf(&b, "\n  %d lines could not be read", s.Unreadable)
	}
	return b.String()
}

// sortedNames lists the names of counts, the largest first.
func sortedNames(counts map[string]int64) (names []string) {
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	return names
}

func orderHours(a, b rollup.Hour) int {
	return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Version, b.Version), strings.Compare(a.Source, b.Source))
}

func orderLatencies(a, b rollup.Latency) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.MS, b.MS))
}
