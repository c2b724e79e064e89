package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kindred/internal/job/verify"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/vectorstore/vectorstoretest"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/activity/activitytest"

	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/google/go-cmp/cmp"
)

// soakEvents, a multiple of 20: go test ./integration -run TestSoak -soak-events 200000
var soakEvents = flag.Int("soak-events", 5_000, "events of the soak")

// soakClick is event i of the soak. Of 20 events two say the stock of a product, one says what a customer
// hides or that the customer is forgotten, one is a purchase or a product in the cart that the shop's pages did not
// see, and of the other 16, which are answered, four hold a purchase.
func soakClick(shop activitytest.Shop, i int) click {
	product, customer := shop.Products[i*7%len(shop.Products)], shop.Customers[i*3%len(shop.Customers)]
	var fields string
	key := customer
	switch i % 20 {
	case 3, 13:
		key, fields = product, fmt.Sprintf(`"type":"product","product_code":%q,"stock":%d`, product, i%9)
	case 7:
		what := fmt.Sprintf(`"hide":[%q]`, product)
		if i/20%3 == 2 {
			what = `"forget":true`
		}
		fields = fmt.Sprintf(`"type":"customer","customer_number":%q,%s`, customer, what)
	case 17:
		kind := []string{"purchase", "cart"}[i/20%2]
		fields = fmt.Sprintf(`"type":"interaction","kind":%q,"customer_number":%q,"product_code":%q`, kind, customer, product)
	default:
		shop.Purchases = i%4 == 0
		return click{activitytest.Session(i), shop.Event(i)}
	}
	return click{key, fmt.Appendf(nil, `{"event_id":%q,%s}`, activitytest.EventID(i), fields)}
}

// wantStocks compares the state of products with what the events said last.
func wantStocks(t *testing.T, dsn string, clicks []click) {
	t.Helper()
	want, got := map[string]int64{}, map[string]int64{}
	for _, c := range clicks {
		var said struct {
			Product string `json:"product_code"`
			Stock   *int64 `json:"stock"`
		}
		if err := json.Unmarshal(c.data, &said); err != nil {
			t.Fatal(err)
		}
		if said.Stock != nil {
			want[said.Product] = *said.Stock
		}
	}
	for id, row := range mustState(t, t.Context(), mustVectorConn(t, dsn)) {
		got[id] = *row.Stock
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("the stock of %d products: %s", len(want), diff)
	}
}

// TestSoakLosesNothingAndLeavesNothingBehind sends many batches through one process of the
// function, with PostgreSQL behind it and a Firehose that refuses some records, and audits every
// event. Memory stays flat, and in the end no goroutine is at work. The database finds the products, or the
// function's memory does.
func TestSoakLosesNothingAndLeavesNothingBehind(t *testing.T) {
	version := vectorstoretest.Version("m700000000000001", 1,
		vectorstoretest.Shape{Items: 800, Customers: 2000, RatedEach: 20, Dim: 64})
	for where, env := range map[string][]string{"database": nil,
		"memory": {"ARTIFACTS_BUCKET=file://" + string(mustKeep(t, version))}} {
		t.Run(where, func(t *testing.T) {
			log := soak(t, version, env...)
			if strings.Contains(log, "the memory answers") != (where == "memory") {
				t.Errorf("it is not the %s that answers", where)
			}
		})
	}
}

// soak is one soak; it returns what the function logged. The variables come on top of the function's.
func soak(t *testing.T, version *modelversion.Version, env ...string) string {
	t.Helper()
	const (
		batch  = 500
		warm   = 4 // one part of so many is for the memory to settle
		growth = 1.15
	)
	stack := mustStack(t)
	dsn := stack.mustVectorDatabase(t)
	mustGoLive(t, mustVectorStore(t, dsn), version)
	var shop activitytest.Shop
	for _, item := range version.Items {
		shop.Products = append(shop.Products, item.Code)
	}
	for _, customer := range version.Customers {
		shop.Customers = append(shop.Customers, customer.ID)
	}
	clicks := make([]click, *soakEvents)
	for i := range clicks {
		clicks[i] = soakClick(shop, i)
	}
	poison := 5 + *soakEvents/1000
	stream := newMemoryStream(withPoison(1, clicks, poison))
	folder := objectstore.NewFolder(t.TempDir())
	bucket := stack.mustBucket(t)
	cloud := &localCloud{folder: folder, bucket: bucket}
	server := httptest.NewServer(cloud)
	defer server.Close()
	// With little memory the function soon uses all that it may: what grows then is a leak.
	function := mustFunction(t, stack, dsn, bucket,
		append(env, "AWS_ENDPOINT_URL="+server.URL, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=64")...)

	var memory []float64 // MiB after each batch
	start := time.Now()
	for next := 0; next < len(stream.records); next += batch {
		if failures := function.mustInvoke(t, stream.batch(next, batch)); len(failures) > 0 {
			t.Fatalf("the batch at record %d comes back from %v", next, failures)
		}
		memory = append(memory, mustMemory(t, function.process.Process.Pid))
	}
	took := time.Since(start)
	report, err := verify.New(stream, folder).Run(t.Context(), verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	mustHold(t, report, len(stream.records), poison)
	if report.Duplicates > 0 || cloud.refused.Load() == 0 {
		t.Errorf("%d duplicates, %d refused records", report.Duplicates, cloud.refused.Load())
	}
	said := int64(*soakEvents / 5)
	if report.Sources[activity.SourceState] != said {
		t.Errorf("%d events were written as state, want %d", report.Sources[activity.SourceState], said)
	}
	wantStocks(t, dsn, clicks)
	settled, end := memory[len(memory)/warm:len(memory)*2/warm], memory[len(memory)*(warm-1)/warm:]
	t.Logf("%d events in %v, %.0f a second, %d of them written as state; %d records refused and sent again; "+
		"%d quarantined; memory %.1f, then %.1f MiB", report.Events, took.Round(time.Millisecond),
		float64(report.Events)/took.Seconds(), said, cloud.refused.Load(), report.Quarantined, median(settled), median(end))
	if median(end) > growth*median(settled) {
		t.Errorf("memory grows: %v", memory)
	}
	return mustRest(t, function)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// mustMemory is the resident memory of a process in MiB.
func mustMemory(t *testing.T, pid int) float64 {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		t.Fatalf("read the memory of process %d: %v", pid, err)
	}
	kib, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib / 1024
}

// goroutine opens each goroutine's part of what a Go program says when SIGQUIT ends it.
var goroutine = regexp.MustCompile(`(?m)^goroutine \d+ .*:$`)

// mustRest fails when a goroutine but the main one is in the function's own code, or there are more
// than connections and pools keep. It returns the log.
func mustRest(t *testing.T, f *function) string {
	t.Helper()
	// A kept connection reads through package patience; their number is bounded by most.
	const most = 40 // the runtime's, the pool's, and two of each kept connection
	var said bytes.Buffer
	log, ok := f.process.Stderr.(*bytes.Buffer)
	if !ok {
		t.Fatal("the function's log is not kept")
	}
	if err := f.process.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-f.process.Ended():
	case <-time.After(cleanupTime):
		t.Fatal("SIGQUIT does not end the function")
	}
	said.Write(log.Bytes())
	parts := goroutine.FindAllStringIndex(said.String(), -1)
	if len(parts) == 0 || len(parts) > most {
		t.Errorf("%d goroutines at the end", len(parts))
	}
	for i, part := range parts {
		end := said.Len()
		if i+1 < len(parts) {
			end = parts[i+1][0]
		}
		stack := said.String()[part[0]:end]
		if !strings.HasPrefix(stack, "goroutine 1 ") && !strings.HasPrefix(stack, "goroutine 0 ") &&
			strings.Contains(stack, "kindred/") && !strings.Contains(stack, "net/http.(*persistConn).readLoop") {
			t.Errorf("left behind: %s", stack)
		}
	}
	t.Logf("%d goroutines at the end", len(parts))
	return said.String()
}

// localCloud is a Firehose and an S3 that keep what they take in a folder. LocalStack's Firehose
// takes about a thousand records a second: it, and not the function, would be what is measured.
// Firehose refuses three records of every twentieth call, as the real one does when it is
// throttled.
type localCloud struct {
	folder  *objectstore.Folder
	bucket  string
	calls   atomic.Int64
	refused atomic.Int64
}

func (c *localCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the function ended
	}
	switch key, isPut := strings.CutPrefix(r.URL.Path, "/"+c.bucket+"/"); {
	case r.Method == http.MethodPut && isPut && r.Header.Get("If-None-Match") == "*":
		_, err = c.folder.Put(r.Context(), key, bytes.NewReader(body), int64(len(body)),
			objectstore.Condition{IfNoneMatch: true})
		if errors.Is(err, objectstore.ErrPrecondition) {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
	case path.Ext(r.Header.Get("X-Amz-Target")) == ".PutRecordBatch":
		err = c.putRecordBatch(w, r, body)
	default:
		err = fmt.Errorf("%s %s %v", r.Method, r.URL.Path, r.Header)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (c *localCloud) putRecordBatch(w http.ResponseWriter, r *http.Request, body []byte) error {
	var in struct{ Records []types.Record }
	if err := json.Unmarshal(body, &in); err != nil {
		return err
	}
	call := c.calls.Add(1)
	var out struct {
		FailedPutCount   int
		RequestResponses []types.PutRecordBatchResponseEntry
	}
	code, id := "ServiceUnavailableException", "1"
	var object bytes.Buffer
	for i, record := range in.Records {
		if call%20 == 1 && len(in.Records) > 3 && (i == 0 || i == len(in.Records)/2 || i == len(in.Records)-1) {
			out.FailedPutCount++
			out.RequestResponses = append(out.RequestResponses,
				types.PutRecordBatchResponseEntry{ErrorCode: &code, ErrorMessage: &code})
			continue
		}
		object.Write(record.Data)
		out.RequestResponses = append(out.RequestResponses, types.PutRecordBatchResponseEntry{RecordId: &id})
	}
	c.refused.Add(int64(out.FailedPutCount))
	name := fmt.Sprintf("%ssoak-%08d", envconfig.RecommendationPrefix, call)
	if _, err := c.folder.Put(r.Context(), name, bytes.NewReader(object.Bytes()), int64(object.Len()),
		objectstore.Condition{IfNoneMatch: true}); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	return json.NewEncoder(w).Encode(out)
}
