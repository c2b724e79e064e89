package integration

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"kindred/internal/job/publish"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

// mustPlace makes a file of placements live, and returns its version.
func mustPlace(t *testing.T, store *vectorstore.Store, lake objectstore.Store, file string) string {
	t.Helper()
	r, err := publish.PublishPlacements(t.Context(), publish.Database{Store: store}, lake, "placements.yaml", []byte(file),
		byTest)
	if err != nil {
		t.Fatal(err)
	}
	return r.Version
}

// TestPlacementsGoLiveAndBack: the role that serves reads them with the pointer, whichever version is live.
func TestPlacementsGoLiveAndBack(t *testing.T) {
	t.Parallel()
	d, drop := mustStack(t).serving(t.Context(), t)
	defer drop()
	if err := d.goLive(t.Context()); err != nil {
		t.Fatal(err)
	}
	reader := mustReader(t, d)
	limitOf := func(want int) {
		t.Helper()
		traffic, err := reader.Traffic(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		home, known := traffic.Placements.Of("home")
		switch {
		case known != (want > 0):
			t.Errorf("the placements are %+v", traffic.Placements)
		case known && *home.Limit != want:
			t.Errorf("home has the limit %d, not %d", *home.Limit, want)
		}
	}
	limitOf(0)
	if _, err := d.store.RollbackPlacements(t.Context(), byTest); !errors.Is(err, vectorstore.ErrNoPrevious) {
		t.Errorf("rolled back to nothing: %v", err)
	}
	lake := objectstore.NewFolder(t.TempDir())
	first := mustPlace(t, d.store, lake, "format: 1\nplacements:\n  home: {limit: 3}\n")
	limitOf(3)
	second := mustPlace(t, d.store, lake, "format: 1\nplacements:\n  home: {limit: 4}\n  cart: {}\n")
	limitOf(4)
	if _, err := d.store.Check(t.Context()); err != nil {
		t.Error(err)
	}
	for _, want := range []string{first, second, first} { // the second time it goes forward
		if got, err := d.store.RollbackPlacements(t.Context(), byTest); err != nil || got != want {
			t.Errorf("rolled back to %s, not %s: %v", got, want, err)
		}
	}
	limitOf(3)
	versions, err := d.store.PlacedVersions(t.Context())
	if err != nil || len(versions) != 2 || versions[0].Version != second || versions[0].Live || !versions[1].Live ||
		len(versions[0].Names) != 2 {
		t.Errorf("versions: %+v, %v", versions, err)
	}
	history, err := d.store.PlacementsHistory(t.Context())
	if err != nil || len(history) != 5 || history[0].From != "" || history[4].To != first ||
		history[4].Action != vectorstore.ActionRollback {
		t.Errorf("history: %+v, %v", history, err)
	}
	if err := d.check(t.Context()); err != nil {
		t.Error(err)
	}
	// A version that somebody has deleted has a fault, and does not keep others from being answered.
	execPostgres(t, t.Context(), d.owner, `DELETE FROM kindred.placements`)
	traffic, err := mustReader(t, d).Traffic(t.Context())
	if err != nil || traffic.Placements == nil || traffic.Placements.Fault == nil {
		t.Errorf("without the row: %+v, %v", traffic.Placements, err)
	}
}

// TestStripsOfAPageInABrowser: strips with a placement ask together, and show what their placements say, no product
// twice. A page whose server does not know one of them shows recommendations all the same.
func TestStripsOfAPageInABrowser(t *testing.T) {
	t.Parallel()
	browser := mustBrowser(t)
	dsn := mustStack(t).mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	mustGoLive(t, store, recommendtest.Version("m900000000000012"))
	mustPlace(t, store, objectstore.NewFolder(t.TempDir()), `format: 1
placements:
  home: {limit: 4, filter: product.id.startsWith("L1")}
  top: {list: popular, limit: 3}
  alike: {list: similar, limit: 2}
`)
	const key = "pk_of-the-strips-of-a-page"
	shop := newShopPages(t)
	shop.strips = `<kindred-strip placement="home"></kindred-strip><kindred-strip placement="top"></kindred-strip>
		<kindred-strip placement="alike" product="L2_03"></kindred-strip>
		<kindred-strip placement="top" limit="2"></kindred-strip>`
	serve := newWatched(t, mustServe(t, dsn, `SITE_KEYS={"keys":[{"publishable":"`+key+
		`","scopes":["recommendations"],"origins":["`+shop.URL+`"]}]}`))
	shop.script = serve.URL + "/kindred.js"
	p := newTab(t, browser)
	p.must(t, chromedp.Navigate(shop.URL+"/?consent=yes&key="+key))
	waitFor(t, "the strips show products", func() bool { return len(p.strip(t)) == 4+3+2+2 })
	shown := p.strip(t)
	once := slices.Compact(slices.Sorted(slices.Values(shown[:9])))
	if len(once) != 9 || !slices.Equal(shown[4:6], shown[9:]) || strings.Count(strings.Join(shown[:4], ""), "L1") != 4 ||
		slices.Contains(shown, "L2_03") {
		t.Errorf("the strips show %q", shown)
	}
	if asked := serve.forget(); len(asked) != 2 || asked[1] != "POST /recommendations" { // behind what CORS asks
		t.Errorf("the page asked %q", asked)
	}
	shop.strips = strings.Replace(shop.strips, `"home"`, `"shelf"`, 1)
	other := newTab(t, browser)
	other.must(t, chromedp.Navigate(shop.URL+"/?consent=yes&key="+key))
	waitFor(t, "the strips show products without placements", func() bool { return len(other.strip(t)) == 6+6+6+2 })
}

// TestPlacementsOnTheStreamAndOverHTTP: the function delivers a record for each strip, and an event with an unknown
// placement goes to quarantine; the audit counts all. serve answers with the same placements, and both follow a
// rollback at once.
func TestPlacementsOnTheStreamAndOverHTTP(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn, bucket := stack.mustVectorDatabase(t), stack.mustBucket(t)
	vectors := mustVectorStore(t, dsn)
	mustGoLive(t, vectors, recommendtest.Version("m900000000000013"))
	lake := objectstore.NewFolder(t.TempDir())
	mustPlace(t, vectors, lake, "format: 1\nplacements:\n  home: {limit: 2}\n  top: {list: popular, limit: 3}\n")
	mustPlace(t, vectors, lake, "format: 1\nplacements:\n  home: {limit: 4}\n  top: {list: popular, limit: 3}\n")
	function, base := mustFunction(t, stack, dsn, bucket), mustServe(t, dsn)
	store := objectstore.NewS3(awsclient.S3(stack.AWS), bucket, "")
	const ask = `{"session_id":"s","event_id":"%s","browse_history":[{"product_code":"L2_03"}],"kindred":{%s}}`
	clicks := []click{{"s", fmt.Appendf(nil, ask, "page", `"placements":["home","top"]`)},
		{"s", fmt.Appendf(nil, ask, "one", `"placement":"home"`)},
		{"s", fmt.Appendf(nil, ask, "unknown", `"placements":["home","shelf"]`)},
		{"s", []byte(`{"session_id":"s","event_id":"plain","browse_history":[{"product_code":"L2_03"}]}`)}}
	stream := newMemoryStream(clicks)
	for range 2 { // Lambda may send a batch again
		stream.mustDrain(t, function, 10)
	}
	records := mustRecords(t, store)
	shown := func(event, placement string) int {
		return len(records[activity.RecommendationID(event, placement)].RecommendedItems)
	}
	if len(records) != 4 || shown("page", "home") != 4 || shown("page", "top") != 3 || shown("one", "home") != 4 ||
		shown("plain", "") != 10 {
		t.Errorf("%d records: %v", len(records), slices.Collect(maps.Keys(records)))
	}
	r := stream.mustAudit(t, store)
	if r.Fault() != nil || r.Recommended != 3 || r.Quarantined != 1 || r.Duplicates != 4 || r.Lost != 0 {
		t.Errorf("%v\n%s", r.Fault(), r)
	}
	home := func() int {
		_, body := mustBeAsked(t, http.MethodPost, base+"/recommendations", fmt.Sprintf(ask, "web", `"placement":"home"`))
		return strings.Count(body, `"score"`)
	}
	if got := home(); got != 4 {
		t.Errorf("home shows %d products over HTTP", got)
	}
	if _, err := vectors.RollbackPlacements(t.Context(), byTest); err != nil {
		t.Fatal(err)
	}
	if got := home(); got != 2 {
		t.Errorf("home shows %d products after the rollback", got)
	}
	again := newMemoryStream([]click{{"s", fmt.Appendf(nil, ask, "later", `"placement":"home"`)}})
	again.mustDrain(t, function, 10)
	if records = mustRecords(t, store); shown("later", "home") != 2 {
		t.Errorf("home shows %d products on the stream after the rollback", shown("later", "home"))
	}
	for path, want := range map[string]int{"/customers/101/recommendations?placement=top": 200,
		"/customers/101/recommendations?placement=shelf": 400, "/products/L2_03/similar?placement=home": 400} {
		if status, body := mustBeAsked(t, http.MethodGet, base+path, ""); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	execPostgres(t, t.Context(), dsn, beforePlacements) // as programs of before left it
	if status, body := mustBeAsked(t, http.MethodGet, base+"/customers/101/recommendations", ""); status != 200 {
		t.Errorf("in a database without placements: %d %s", status, body)
	}
	status, body := mustBeAsked(t, http.MethodGet, base+"/customers/101/recommendations?placement=top", "")
	if status != 400 || !strings.Contains(body, "there are none") {
		t.Errorf("a placement in a database without placements: %d %s", status, body)
	}
}

// mustBeAsked asks serve.
func mustBeAsked(t *testing.T, method, address, body string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}
