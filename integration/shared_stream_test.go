package integration

import (
	"maps"
	"strconv"
	"testing"

	"kindred/internal/job/verify"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/stream/activity"
	"kindred/localstack/settings"
)

// sharedShop is one of the shops of TestTwoShopsShareAStream.
type sharedShop struct {
	name     string
	programs programs
	store    objectstore.Store // of its recommendations
	version  string
}

// TestTwoShopsShareAStream brings two generated shops live, each with a vector database and a function
// of its own that reads one stream, and sends clicks of both, of no shop, and of a shop that nobody
// serves. Each event is answered once, by the model of its shop.
func TestTwoShopsShareAStream(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	own, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	stream := own.WithSuffix(randomName()).Stream.Name
	var shops []*sharedShop
	for i, name := range []string{"books", "toys"} {
		places := own.WithSuffix(randomName())
		places.Stream.Name = stream
		s := &sharedShop{name: name, store: objectstore.NewS3(awsclient.S3(stack.AWS),
			places.Buckets.Recommendations.Name, "")}
		s.programs = mustPrograms(t, mustPlacesOf(t, stack, stack.mustDatabase(t), places,
			map[string]string{"SHOP_NAME": name, "ACTIVITY_STREAM_SHOPS": "books,toys"}))
		s.programs.mustRun(t, nil, "seed", "generate", "--scale", "0.1", "--seed", strconv.Itoa(i+1))
		s.programs.mustRun(t, nil, "etl")
		var trained struct {
			ModelVersion string `json:"model_version"`
		}
		s.programs.mustRun(t, &trained, "train", "--tune-budget", "0.2")
		s.programs.mustRun(t, nil, "publish")
		s.version = trained.ModelVersion
		shops = append(shops, s)
	}
	books, toys := shops[0], shops[1]
	send := func(s *sharedShop, args ...string) {
		t.Helper()
		s.programs.mustRun(t, nil, "replay", append([]string{"--rate", "1000"}, args...)...)
	}
	send(books, "--shop", "books", "--events", "120", "--run", "a")
	send(toys, "--shop", "toys", "--events", "90", "--run", "b")
	send(books, "--events", "30", "--poison", "4", "--run", "c") // as before the stream was shared
	send(toys, "--shop", "garden", "--events", "7", "--run", "d")

	answered := map[string]bool{} // by the recommendation's id
	// A producer that tries again may put a record on the stream twice.
	for _, c := range []struct {
		shop                                      *sharedShop
		answered, quarantined, unknownShop, other int64
	}{{books, 150, 11, 7, 90}, {toys, 90, 0, 0, 161}} {
		var r verify.Report
		c.shop.programs.mustRun(t, &r, "verify", "--wait", catchUp.String())
		if r.Shop != c.shop.name || r.Recommended < c.answered || r.Quarantined < c.quarantined ||
			r.Recommended+r.Quarantined != r.Events ||
			(r.Quarantined > 0) != (c.quarantined > 0) || r.QuarantineReasons[activity.ReasonUnknownShop] < c.unknownShop ||
			!maps.Equal(r.Versions, map[string]int64{c.shop.version: r.Recommended}) || r.UnknownProducts > r.Products/20 {
			t.Errorf("%s: %s", c.shop.name, r)
		}
		if len(r.OtherShops) != 1 || r.OtherShops[books.name]+r.OtherShops[toys.name] < c.other {
			t.Errorf("%s: of other shops %v, want %d", c.shop.name, r.OtherShops, c.other)
		}
		records := mustRecords(t, c.shop.store)
		if int64(len(records)) != c.answered {
			t.Errorf("%s: %d events were answered, want %d", c.shop.name, len(records), c.answered)
		}
		for id, record := range records {
			if record.Recommendation.Shop != c.shop.name || answered[id] {
				t.Errorf("%s: %+v, answered before: %t", c.shop.name, record.Recommendation, answered[id])
			}
			answered[id] = true
		}
	}
}
