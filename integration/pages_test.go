package integration

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"kindred/internal/job/verify"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend/recommendtest"
)

var pageAnswers = flag.Int("page-answers", 1000, "answers over HTTP whose ids are compared with the delivered ones")

// firehoseDouble is a delivery stream that can be throttled, and down. What it takes, it writes into the folder.
type firehoseDouble struct {
	t      *testing.T
	folder *objectstore.Folder

	mu              sync.Mutex
	throttled, down bool
	calls, refused  int
}

func (f *firehoseDouble) be(throttled, down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.throttled, f.down = throttled, down
}

func (f *firehoseDouble) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ Records []struct{ Data []byte } }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil ||
		r.Header.Get("X-Amz-Target") != "Firehose_20150804.PutRecordBatch" {
		f.t.Errorf("a call of %s: %v", r.Header.Get("X-Amz-Target"), err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.down {
		http.Error(w, `{"__type":"ServiceUnavailableException"}`, http.StatusServiceUnavailable)
		return
	}
	type entry struct{ RecordId, ErrorCode string }
	var out struct {
		FailedPutCount   int
		RequestResponses []entry
	}
	var lines strings.Builder
	for i, record := range in.Records {
		if f.throttled && (i+f.calls)%3 != 0 {
			out.FailedPutCount++
			f.refused++
			out.RequestResponses = append(out.RequestResponses, entry{ErrorCode: "ServiceUnavailableException"})
			continue
		}
		lines.Write(record.Data)
		out.RequestResponses = append(out.RequestResponses, entry{RecordId: "1"})
	}
	if lines.Len() > 0 {
		key := fmt.Sprintf("%sdt=2026-03-01/%06d", envconfig.RecommendationPrefix, f.calls)
		if _, err := f.folder.Put(f.t.Context(), key, strings.NewReader(lines.String()), int64(lines.Len()),
			objectstore.Condition{}); err != nil {
			f.t.Error(err)
		}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// askAgain asks as a caller does whom serve tells to try again later, as it does on a machine under load.
func askAgain(ctx context.Context, method, url, body string) (status int, said []byte, err error) {
	ctx, stop := context.WithTimeout(ctx, catchUp)
	defer stop()
	for {
		request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
		if err != nil {
			return 0, nil, err
		}
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0, nil, err
		}
		said, err = io.ReadAll(answer.Body)
		_ = answer.Body.Close() // it was read
		if answer.StatusCode != http.StatusServiceUnavailable || err != nil {
			return answer.StatusCode, said, err
		}
		select {
		case <-ctx.Done():
			return answer.StatusCode, said, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// mustAnswerIDs asks for answer number n, of any kind, and returns the ids of its strips; "" for null.
func mustAnswerIDs(t *testing.T, base string, n int) (ids []string) {
	t.Helper()
	method, path, body := http.MethodGet, fmt.Sprintf("/customers/%d/recommendations", 100+n%5), ""
	switch n % 4 {
	case 1:
		path = "/products/L2_03/similar"
	case 2:
		method, path = http.MethodPost, "/recommendations"
		body = fmt.Sprintf(`{"session_id":"s%d","browse_history":[{"product_code":"L2_03"}]}`, n)
	case 3:
		method, path = http.MethodPost, "/recommendations"
		body = fmt.Sprintf(`{"session_id":"s%d","event_id":"page %[1]d","browse_history":[{"product_code":"L2_03"}],`+
			`"kindred":{"placements":["home","top","alike"]}}`, n)
	}
	status, data, err := askAgain(t.Context(), method, base+path, body)
	type strip struct {
		RecommendationID *string              `json:"recommendation_id"`
		Recommendation   struct{ ID *string } `json:"recommendation"`
	}
	var said struct {
		strip
		Strips []strip `json:"strips"`
	}
	if e := json.Unmarshal(data, &said); err != nil || e != nil || status != http.StatusOK {
		t.Errorf("%s %s: %d %s: %v", method, path, status, data, err)
	}
	if said.Strips == nil {
		said.Strips = []strip{said.strip}
	}
	for _, of := range said.Strips {
		id := cmp.Or(of.RecommendationID, of.Recommendation.ID)
		if id == nil {
			id = new("")
		}
		ids = append(ids, *id)
	}
	return ids
}

// TestTheIDsOfAnswersAreThoseDelivered asks serve while its delivery stream is whole, throttled, down and whole again,
// ends it, and audits: the ids that the callers got are those that were delivered, and none is null.
func TestTheIDsOfAnswersAreThoseDelivered(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn := stack.mustVectorDatabase(t)
	vectors := mustVectorStore(t, dsn)
	mustGoLive(t, vectors, recommendtest.Version("m900000000000007"))
	mustPlace(t, vectors, objectstore.NewFolder(t.TempDir()),
		"format: 1\nplacements:\n  home: {}\n  top: {list: popular}\n  alike: {list: similar}\n")
	double := &firehoseDouble{t: t, folder: objectstore.NewFolder(t.TempDir())}
	firehose := httptest.NewServer(double)
	defer firehose.Close()
	serve, base := mustStartServe(t, dsn, "AWS_ENDPOINT_URL_FIREHOSE="+firehose.URL, "AWS_REGION=eu-west-1",
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "RECOMMENDATIONS_DELIVERY_STREAM=recommendations",
		"ACTIVITY_STREAM=")
	answers := make([][]string, *pageAnswers)
	quarter := len(answers) / 4
	for phase := range 4 {
		double.be(phase == 1, phase == 2)
		var callers errgroup.Group
		callers.SetLimit(8)
		for n := phase * quarter; n < (phase+1)*quarter; n++ {
			callers.Go(func() error {
				answers[n] = mustAnswerIDs(t, base, n)
				return nil
			})
		}
		_ = callers.Wait() // the functions return nil
	}
	if err := serve.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := serve.Wait(); err != nil {
		t.Errorf("serve ended: %v", err)
	}
	ids := slices.Concat(answers...)
	for n, id := range ids {
		if id == "" {
			t.Fatalf("answer %d has no id", n)
		}
	}
	if double.refused == 0 {
		t.Error("the delivery stream was never throttled")
	}
	list := filepath.Join(t.TempDir(), "ids")
	audit := func(ids []string) verify.Report {
		t.Helper()
		if err := os.WriteFile(list, []byte(strings.Join(ids, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := verify.New(newMemoryStream(nil), double.folder).Run(t.Context(), verify.Options{IDs: list})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := audit(ids)
	if r.Fault() != nil || r.IDs.Listed != int64(len(ids)) || len(ids) <= 4*quarter ||
		r.IDs.Delivered != r.IDs.Listed || r.Altered != 0 {
		t.Errorf("%v\n%s", r.Fault(), r)
	}
	t.Logf("%d answers, %d calls of the delivery stream, %d records refused\n%s", r.IDs.Listed, double.calls,
		double.refused, r)
	if r := audit(ids[1:]); r.Fault() == nil || r.IDs.Unlisted != 1 {
		t.Errorf("without one id: %v", r.Fault())
	}
}

// waitFor waits until a condition holds, for as long as a busy machine may need.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), functionTime)
	defer stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v", what, functionTime)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
