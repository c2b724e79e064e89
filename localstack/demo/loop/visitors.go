package loop

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/linefile"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
)

const (
	shownVisitors = 3 // sessions in the summary
	shownItems    = 5 // recommended products per session
	leastLookedAt = 3 // products in a session before it is worth showing
	mostLookedAt  = 6 // and after which it is too long to read
)

// Visitor is one session as the summary shows it, in product names.
type Visitor struct {
	Who         string
	LookedAt    []string
	Recommended []string
}

// sampleVisitors reads recommendation records that came since the replay began, and names the
// products of a few sessions from the training set. environment holds the stack's KEY=value
// settings.
func sampleVisitors(ctx context.Context, environment []string, since time.Time) ([]Visitor, error) {
	settings := map[string]string{}
	for _, pair := range environment {
		key, value, _ := strings.Cut(pair, "=")
		settings[key] = value
		if strings.HasPrefix(key, "AWS_") {
			if err := os.Setenv(key, value); err != nil { // the SDK reads nothing else
				return nil, err
			}
		}
	}
	names, err := productNames(ctx, settings["LAKE_BUCKET"])
	if err != nil {
		return nil, err
	}
	records, err := latestRecords(ctx, settings["RECOMMENDATIONS_BUCKET"], since)
	if err != nil {
		return nil, err
	}
	sessions := make([]string, 0, len(records))
	for session := range records {
		sessions = append(sessions, session)
	}
	slices.Sort(sessions)
	var visitors []Visitor
	for _, session := range sessions {
		if len(visitors) == shownVisitors {
			break
		}
		if s, ok := describe(records[session], names); ok {
			visitors = append(visitors, s)
		}
	}
	return visitors, nil
}

func productNames(ctx context.Context, lake string) (map[string]string, error) {
	store, err := objectstore.Open(ctx, lake)
	if err != nil {
		return nil, err
	}
	repository := commit.NewRepository(store, envconfig.TrainingSetPrefix)
	manifest, err := repository.Current(ctx)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "kindred-demo-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // a leftover in the temporary folder harms nobody
	names := map[string]string{}
	if trainingset.IsHistory(manifest) {
		history, err := trainingset.ReadHistory(ctx, repository, manifest, scratch)
		if err != nil {
			return nil, err
		}
		for _, p := range history.Products {
			names[p.ID] = p.Name
		}
		return names, nil
	}
	set, err := trainingset.Read(ctx, repository, manifest, scratch)
	if err != nil {
		return nil, err
	}
	for _, p := range set.Products {
		names[p.Code] = p.Name
	}
	return names, nil
}

// latestRecords returns, for each session that was answered since, its longest record that is short
// enough to read.
func latestRecords(ctx context.Context, bucket string, since time.Time) (map[string]sessionRecord, error) {
	store, err := objectstore.Open(ctx, bucket)
	if err != nil {
		return nil, err
	}
	latest := map[string]sessionRecord{}
	for info, err := range store.List(ctx, envconfig.RecommendationPrefix) {
		if err != nil {
			return nil, err
		}
		if info.Modified.Before(since.Truncate(time.Second)) {
			continue
		}
		if err := readRecords(ctx, store, info.Key, latest); err != nil {
			return nil, fmt.Errorf("read %s: %w", info.Key, err)
		}
	}
	return latest, nil
}

type sessionRecord struct {
	event  *activity.Event
	record activity.Record
}

func readRecords(ctx context.Context, store objectstore.Store, key string, latest map[string]sessionRecord) error {
	body, _, err := store.Get(ctx, key)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // read only
	for line, err := range linefile.Lines(body) {
		if err != nil {
			return err
		}
		record, err := activity.ParseRecord(line)
		if err != nil {
			return err
		}
		event, err := activity.Parse(record.Event)
		if err != nil {
			return err
		}
		longest := 0
		if seen, found := latest[event.SessionID]; found {
			longest = len(seen.event.BrowseHistory)
		}
		if n := len(event.BrowseHistory); n > longest && n <= mostLookedAt {
			latest[event.SessionID] = sessionRecord{event, record}
		}
	}
	return nil
}

// describe puts a session in words; false when it is too short to be worth reading.
func describe(s sessionRecord, names map[string]string) (Visitor, bool) {
	if s.record.Recommendation.Source != activity.SourceSession || len(s.event.BrowseHistory) < leastLookedAt {
		return Visitor{}, false
	}
	name := func(code string) string {
		if names[code] != "" {
			return names[code]
		}
		return code
	}
	visitor := Visitor{Who: "An anonymous visitor"}
	if n := s.event.CustomerID; n != nil {
		visitor.Who = "Customer " + string(*n)
	}
	for _, b := range s.event.BrowseHistory {
		text := name(string(b.ProductCode))
		if b.InShoppingCart {
			text += " (in the cart)"
		}
		visitor.LookedAt = append(visitor.LookedAt, text)
	}
	for _, item := range s.record.RecommendedItems[:min(shownItems, len(s.record.RecommendedItems))] {
		text := name(item.ID)
		if item.Because != "" {
			text += ", because of " + name(item.Because)
		}
		visitor.Recommended = append(visitor.Recommended, text)
	}
	return visitor, true
}

func (s Visitor) print(w io.Writer) {
	fmt.Fprintf(w, "  %s looked at\n", s.Who)
	for _, text := range s.LookedAt {
		fmt.Fprintf(w, "      %s\n", text)
	}
	fmt.Fprintln(w, "  and was recommended")
	for i, text := range s.Recommended {
		fmt.Fprintf(w, "   %2d %s\n", i+1, text)
	}
	fmt.Fprintln(w)
}
