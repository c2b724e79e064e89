package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kindred/internal/job/verify"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

var (
	// faultSeed: go test ./integration -run 'TestRefused|TestLostAnswers|TestEvent' -fault-seed 7
	faultSeed = flag.Uint64("fault-seed", 1, "seed of the clicks and of the faults")
	// functionKills: go test ./integration -run TestKilledFunction -function-kills 50
	functionKills = flag.Int("function-kills", 4, "seeds with which the function is killed while it works")
)

// stage is a function at the Runtime API, a database in which a small model is live, and a bucket
// of the test's own.
type stage struct {
	*function
	dsn     string
	store   *objectstore.S3
	vectors *vectorstore.Store
}

func mustStage(t *testing.T, stack Stack, env ...string) stage {
	t.Helper()
	s := stage{dsn: stack.mustVectorDatabase(t)}
	s.vectors = mustVectorStore(t, s.dsn)
	mustGoLive(t, s.vectors, recommendtest.Version("m700000000000001"))
	bucket := stack.mustBucket(t)
	s.store = objectstore.NewS3(awsclient.S3(stack.AWS), bucket, "")
	s.function = mustFunction(t, stack, s.dsn, bucket, env...)
	return s
}

// mustHold fails unless the report has no fault and the stream holds so many events that differ, of
// which so many are quarantined. Nothing may be given up, under way or out of order. A producer's
// retry may put a record twice, so records are not counted: a copy of an event has its id, a copy of
// a bad record is one more in quarantine.
func mustHold(t *testing.T, r verify.Report, events, quarantined int) {
	t.Helper()
	copies, badCopies := int(r.Events)-events, int(r.Quarantined)-quarantined
	if r.Fault() != nil || int(r.DistinctEvents) != events+badCopies || badCopies < 0 || badCopies > copies ||
		r.OnFailure+r.InFlight+r.OutOfOrder > 0 {
		t.Errorf("want %d events, %d of them in quarantine:\n%s", events, quarantined, r)
	}
}

// TestKilledFunctionLosesNothingAndKeepsOrder kills the function's process at random moments of its
// batches, or tells it to end. The state is the same as if nothing had been killed.
func TestKilledFunctionLosesNothingAndKeepsOrder(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	const events, products, visitors, poison, batch = 120, 30, 60, 5, 40
	kills, repeated := 0, int64(0)
	for seed := range uint64(*functionKills) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			s := mustStage(t, stack)
			begin := time.Now()
			// another stream's: how long a batch takes
			newMemoryStream(clicksOf(1000+seed, batch)).mustDrain(t, s.function, batch)
			whole := time.Since(begin)
			rng := rand.New(rand.NewPCG(seed, 3))
			first := true
			s.began = func(p *os.Process) {
				if first { // the process does not even get its work
					first = false
					_ = p.Kill()
					return
				}
				if rng.IntN(3) == 0 {
					return
				}
				signal := syscall.SIGKILL
				if rng.IntN(4) == 0 {
					signal = syscall.SIGTERM
				}
				// the process may have ended
				time.AfterFunc(time.Duration(rng.Int64N(int64(whole))), func() { _ = p.Signal(signal) })
			}
			clicks := withVisitors(seed, withProducts(seed, clicksOf(seed, events), products), visitors)
			stream := newMemoryStream(withPoison(seed, clicks, poison))
			killed := stream.mustDrain(t, s.function, batch)
			if kills += killed; killed == 0 {
				t.Error("the function was killed and the batch did not come back")
			}
			wantStateOfReplay(t, stack, s, stream)
			report := stream.mustAudit(t, s.store)
			repeated += report.Duplicates
			report.Unknown -= batch // the other stream's
			mustHold(t, report, events+products+visitors+poison, poison)
		})
	}
	t.Logf("%d seeds: %d batches were killed, %d lines are there twice", *functionKills, kills, repeated)
}

// faults says how the services fail.
type faults struct {
	refuse  func(record []byte) bool // records that Firehose refuses, in an answer that says 200; nil: none
	lose    func() bool              // whether Firehose's answer is lost after it took the records; nil: never
	objects bool                     // S3 takes no object
}

// faultyServices is a proxy of the services that makes them fail as they do on AWS.
type faultyServices struct {
	*httptest.Server
	next   http.Handler
	mu     sync.Mutex
	faults faults
	puts   int // calls of PutRecordBatch
	taken  int // records that the services took
}

// mustFaultyStage is mustStage with services that can be made to fail.
func mustFaultyStage(t *testing.T) (stage, *faultyServices) {
	t.Helper()
	stack := mustStack(t)
	upstream, err := url.Parse(*stack.AWS.BaseEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	f := &faultyServices{next: httputil.NewSingleHostReverseProxy(upstream)}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return mustStage(t, stack, "AWS_ENDPOINT_URL="+f.URL), f
}

// fail changes the faults.
func (f *faultyServices) fail(with faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = with
}

func (f *faultyServices) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".PutRecordBatch"):
		f.puts++
		f.putRecordBatch(w, r)
	case r.Method == http.MethodPut && f.faults.objects:
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "<Error><Code>SlowDown</Code></Error>") // the function may have been killed
	default:
		f.next.ServeHTTP(w, r)
	}
}

// putRecordBatch hands on what is not refused and answers for all.
func (f *faultyServices) putRecordBatch(w http.ResponseWriter, r *http.Request) {
	var in struct {
		DeliveryStreamName string
		Records            []struct{ Data []byte }
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	type entry struct{ RecordId, ErrorCode, ErrorMessage string }
	var out struct {
		FailedPutCount   int
		RequestResponses []entry
	}
	taken := in.Records[:0:0]
	for _, record := range in.Records {
		if f.faults.refuse != nil && f.faults.refuse(record.Data) {
			out.FailedPutCount++
			out.RequestResponses = append(out.RequestResponses,
				entry{ErrorCode: "ServiceUnavailableException", ErrorMessage: "Slow down."})
			continue
		}
		out.RequestResponses = append(out.RequestResponses, entry{RecordId: strconv.Itoa(len(taken))})
		taken = append(taken, record)
	}
	if in.Records = taken; len(taken) > 0 {
		body, err := json.Marshal(in)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		answer := httptest.NewRecorder()
		if f.next.ServeHTTP(answer, r); answer.Code != http.StatusOK {
			w.WriteHeader(answer.Code)
			_, _ = answer.Body.WriteTo(w)
			return
		}
		f.taken += len(taken)
	}
	if f.faults.lose != nil && f.faults.lose() {
		panic(http.ErrAbortHandler) // ends the connection
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(out) // the function may have been killed
}

// TestRefusedRecordsAreSentAgainAndOnlyThose refuses some records of each PutRecordBatch, each at
// most three times.
func TestRefusedRecordsAreSentAgainAndOnlyThose(t *testing.T) {
	t.Parallel()
	const events, batch = 300, 150
	s, services := mustFaultyStage(t)
	rng, times, refused := rand.New(rand.NewPCG(*faultSeed, 4)), map[string]int{}, 0
	services.fail(faults{refuse: func(record []byte) bool {
		if rng.IntN(3) > 0 || times[string(record)] == 3 {
			return false
		}
		times[string(record)]++
		refused++
		return true
	}})
	stream := newMemoryStream(clicksOf(*faultSeed, events))
	if incomplete := stream.mustDrain(t, s.function, batch); incomplete > 0 {
		t.Errorf("seed %d: %d batches came back", *faultSeed, incomplete)
	}
	report := stream.mustAudit(t, s.store)
	mustHold(t, report, events, 0)
	if int(report.Duplicates) != services.taken-events || refused < events/4 {
		t.Errorf("seed %d: %d records were refused, %d taken, %d calls, %d lines are there twice", *faultSeed, refused,
			services.taken, services.puts, report.Duplicates)
	}
}

// TestRecordRefusedForEverIsNamedAndNothingBehindItsCallIsTouched refuses one record for ever,
// between two poison records: the first one is done, the second one comes again.
func TestRecordRefusedForEverIsNamedAndNothingBehindItsCallIsTouched(t *testing.T) {
	t.Parallel()
	const events, chunk, victim = 600, 500, 57
	s, services := mustFaultyStage(t)
	clicks := clicksOf(*faultSeed, events)
	for _, at := range []int{victim - 10, victim + 10} {
		clicks[at].data = clicks[at].data[:len(clicks[at].data)-1]
	}
	stream := newMemoryStream(clicks)
	id := fmt.Sprintf(`"event_id":"click-%d-%d"`, *faultSeed, victim)
	services.fail(faults{refuse: func(record []byte) bool { return bytes.Contains(record, []byte(id)) }})
	for range 2 {
		failures := s.mustInvoke(t, stream.batch(0, events))
		if len(failures) != 1 || failures[0].ItemIdentifier != stream.records[victim].position.SequenceNumber {
			t.Fatalf("the function names %v, want record %d", failures, victim)
		}
	}
	key := func(at int) string { return deadletter.Key(stream.records[at].position) }
	if keys := mustKeys(t, s.store, envconfig.QuarantinePrefix); !slices.Equal(keys, []string{key(victim - 10)}) {
		t.Errorf("in quarantine: %v", keys)
	}
	lines := mustRecords(t, s.store)
	for i, r := range stream.records {
		_, there := lines[activity.RecommendationID(fmt.Sprintf("click-%d-%d", *faultSeed, i), "")]
		if i < victim && i != victim-10 && !there || i >= chunk+2 && there { // the poison records are none of the 500
			t.Errorf("record %d (%s): delivered %v", i, r.position.SequenceNumber, there)
		}
	}
	services.fail(faults{})
	if incomplete := stream.mustDrain(t, s.function, events); incomplete > 0 {
		t.Errorf("%d batches came back after Firehose was healthy", incomplete)
	}
	report := stream.mustAudit(t, s.store)
	report.OutOfOrder = 0 // Firehose had taken later records of the session in the same call
	mustHold(t, report, events, 2)
}

// TestLostAnswersOfFirehoseLoseNothing ends the connection after Firehose has taken the records,
// now and then.
func TestLostAnswersOfFirehoseLoseNothing(t *testing.T) {
	t.Parallel()
	const events, batch = 200, 50
	s, services := mustFaultyStage(t)
	rng, lost := rand.New(rand.NewPCG(*faultSeed, 5)), 0
	services.fail(faults{lose: func() bool {
		if rng.IntN(2) == 0 {
			return false
		}
		lost++
		return true
	}})
	stream := newMemoryStream(clicksOf(*faultSeed, events))
	stream.mustDrain(t, s.function, batch)
	report := stream.mustAudit(t, s.store)
	mustHold(t, report, events, 0)
	if lost == 0 || services.taken < events+lost*batch || int(report.Duplicates) != services.taken-events ||
		len(mustRecords(t, s.store)) != events {
		t.Errorf("seed %d: %d answers were lost, %d records taken, %d lines are there twice", *faultSeed, lost,
			services.taken, report.Duplicates)
	}
}

// TestQuarantineThatIsDownHoldsItsRecordBack lets S3 take no object: the first poison record comes
// again, what is before it does not.
func TestQuarantineThatIsDownHoldsItsRecordBack(t *testing.T) {
	t.Parallel()
	const events, poison = 40, 3
	s, services := mustFaultyStage(t)
	stream := newMemoryStream(withPoison(*faultSeed, clicksOf(*faultSeed, events), poison))
	first := slices.IndexFunc(stream.records,
		func(r memoryRecord) bool { _, err := activity.Parse(r.data); return err != nil })
	services.fail(faults{objects: true})
	failures := s.mustInvoke(t, stream.batch(0, events+poison))
	if len(failures) != 1 || failures[0].ItemIdentifier != stream.records[first].position.SequenceNumber {
		t.Errorf("the function names %v, want record %d", failures, first)
	}
	services.fail(faults{})
	if incomplete := stream.mustDrain(t, s.function, events+poison); incomplete > 0 {
		t.Errorf("%d batches came back after S3 was healthy", incomplete)
	}
	mustHold(t, stream.mustAudit(t, s.store), events+poison, poison)
}

// mustQuarantined reads every quarantine record.
func mustQuarantined(t *testing.T, store objectstore.Store) (kept []activity.Quarantined) {
	t.Helper()
	for _, key := range mustKeys(t, store, envconfig.QuarantinePrefix) {
		data, _, err := objectstore.ReadAll(t.Context(), store, key)
		if err != nil {
			t.Fatal(err)
		}
		var q activity.Quarantined
		if err := json.Unmarshal(data, &q); err != nil {
			t.Fatal(err)
		}
		kept = append(kept, q)
	}
	return kept
}

func mustKeys(t *testing.T, store objectstore.Store, prefix string) (keys []string) {
	t.Helper()
	for info, err := range store.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

// mustProxy starts a proxy of dsn's PostgreSQL server, which the stack's functions reach, and returns
// the address through it.
func mustProxy(t *testing.T, stack Stack, dsn string) (*toxiproxy.Proxy, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("parse PostgreSQL address")
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "postgres", net.JoinHostPort(stack.Host, "0"),
		net.JoinHostPort(u.Hostname(), u.Port()))
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	u.Host = proxy.Listen
	return proxy, u.String()
}

// TestHangingDatabaseEndsTheBatchBeforeItsDeadline holds back all that PostgreSQL says, on
// connections that stay.
func TestHangingDatabaseEndsTheBatchBeforeItsDeadline(t *testing.T) {
	t.Parallel()
	const events = 50
	stack := mustStack(t)
	dsn, bucket := stack.mustVectorDatabase(t), stack.mustBucket(t)
	mustGoLive(t, mustVectorStore(t, dsn), recommendtest.Version("m700000000000001"))
	proxy, through := mustProxy(t, stack, dsn)
	// Most of the time limit is head room, so that a busy machine answers in it.
	function := mustFunction(t, stack, through, bucket, "HEAD_ROOM=26s")
	store := objectstore.NewS3(awsclient.S3(stack.AWS), bucket, "")
	stream := newMemoryStream(withPoison(*faultSeed, clicksOf(*faultSeed, events), 5))
	// it is connected now
	if failures := function.mustInvoke(t, newMemoryStream(clicksOf(1000, 1)).batch(0, 1)); len(failures) > 0 {
		t.Fatalf("failures %v", failures)
	}
	hang := `{"name": "hang", "type": "timeout", "attributes": {"timeout": 0}}`
	if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(hang)); err != nil {
		t.Fatal(err)
	}
	process := function.process
	function.timeout = 30 * time.Second
	failures := function.mustInvoke(t, stream.batch(0, len(stream.records)))
	sound := slices.IndexFunc(stream.records,
		func(r memoryRecord) bool { _, err := activity.Parse(r.data); return err == nil })
	if len(failures) != 1 || failures[0].ItemIdentifier != stream.records[sound].position.SequenceNumber {
		t.Errorf("the function names %v, want record %d", failures, sound)
	}
	if n := len(mustKeys(t, store, envconfig.QuarantinePrefix)); n != sound {
		t.Errorf("%d records are in quarantine, %d come before the first sound one", n, sound)
	}
	proxy.Toxics.ResetToxics(t.Context())
	function.timeout = functionTime
	if incomplete := stream.mustDrain(t, function, len(stream.records)); incomplete > 0 || function.process != process {
		t.Errorf("%d batches came back after the database was there again", incomplete)
	}
	report := stream.mustAudit(t, store)
	report.Unknown-- // the first invocation's
	mustHold(t, report, events+5, 5)
}

// TestEventThatPostgreSQLRefusesForEverIsQuarantinedAlone makes reading one product divide by zero:
// an error of the question, not of the server.
func TestEventThatPostgreSQLRefusesForEverIsQuarantinedAlone(t *testing.T) {
	t.Parallel()
	const events = 100
	s := mustStage(t, mustStack(t))
	traffic, err := s.vectors.Traffic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stream := newMemoryStream(clicksOf(*faultSeed, events))
	sample, err := activity.Parse(stream.records[events/2].data)
	if err != nil {
		t.Fatal(err)
	}
	bad := sample.BrowseHistory[0].ProductCode
	item := "model_" + traffic.Live.Version + ".item"
	execPostgres(t, t.Context(), s.dsn, "ALTER TABLE "+item+" RENAME TO whole")
	execPostgres(t, t.Context(), s.dsn, strings.NewReplacer("ITEM", item, "BAD", string(bad)).Replace(`CREATE VIEW ITEM AS
		SELECT key, code, CASE WHEN code = 'BAD' THEN 0 ELSE quantity_in_stock END AS quantity_in_stock, positives,
			CASE WHEN code = 'BAD' AND 1 / (positives - positives) = 0 THEN NULL ELSE embedding END AS embedding
		FROM model_`+traffic.Live.Version+`.whole`))
	var refused []string
	for _, r := range stream.records {
		if bytes.Contains(r.data, []byte(bad)) {
			refused = append(refused, deadletter.Key(r.position))
		}
	}
	if len(refused) == 0 || len(refused) == events {
		t.Fatalf("seed %d: %d events hold %s", *faultSeed, len(refused), bad)
	}
	if incomplete := stream.mustDrain(t, s.function, events); incomplete > 0 {
		t.Errorf("%d batches came back", incomplete)
	}
	report := stream.mustAudit(t, s.store)
	mustHold(t, report, events, len(refused))
	if keys := mustKeys(t, s.store, envconfig.QuarantinePrefix); !slices.Equal(keys, refused) ||
		int(report.QuarantineReasons[activity.ReasonRefused]) != len(refused) {
		t.Errorf("in quarantine %v for %v, want %v", keys, report.QuarantineReasons, refused)
	}
}

// TestSessionOfTenThousandItemsIsAnsweredBesideOthers fills a session to its limit, and another one
// beyond it.
func TestSessionOfTenThousandItemsIsAnsweredBesideOthers(t *testing.T) {
	t.Parallel()
	const others, items, unseen = 98, vectorstore.ExactBelow - 1, 50
	s := mustStage(t, mustStack(t))
	version := randomVersion("m180000000000000", *faultSeed, items, 20, 8)
	version.Solver.ViewWeight, version.Solver.CartWeight = 1, 4
	mustGoLive(t, s.vectors, version)
	long := activity.Event{SessionID: "long", EventID: "long"}
	seen := map[string]bool{}
	for i := range activity.MaxBrowseHistory { // what the session looked at last is folded
		i = activity.MaxBrowseHistory - 1 - i
		code := fmt.Sprintf("S%06d", i)
		if i >= items-unseen {
			code = fmt.Sprintf("unknown %d", i)
		}
		seen[code] = true
		long.BrowseHistory = append(long.BrowseHistory,
			activity.Browse{ProductCode: activity.ID(code), Quantity: 1, InShoppingCart: i%3 == 0})
	}
	tooLong := activity.Event{SessionID: "too long",
		BrowseHistory: append(slices.Clone(long.BrowseHistory), activity.Browse{ProductCode: "S1"})}
	clicks := clicksOf(*faultSeed, others)
	for _, e := range []activity.Event{long, tooLong} {
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		clicks = slices.Insert(clicks, others/2, click{e.SessionID, data})
	}
	stream := newMemoryStream(clicks)
	begin := time.Now()
	if incomplete := stream.mustDrain(t, s.function, len(clicks)); incomplete > 0 {
		t.Errorf("%d batches came back", incomplete)
	}
	t.Logf("%d events, one with %d items, took %v, the function's start included", len(clicks), activity.MaxBrowseHistory,
		time.Since(begin))
	mustHold(t, stream.mustAudit(t, s.store), others+2, 1)
	record := mustRecords(t, s.store)[activity.RecommendationID("long", "")]
	if len(record.RecommendedItems) != 10 || record.Recommendation.Source != activity.SourceSession {
		t.Errorf("the long session is answered with %+v", record.RecommendedItems)
	}
	for _, item := range record.RecommendedItems {
		if seen[item.ID] || !seen[item.Because] {
			t.Errorf("%+v was seen, or is recommended for nothing that was", item)
		}
	}
}

// TestMovingTheLivePointerFailsNoBatchAndMixesNoVersions promotes and rolls back as fast as
// possible while the function works.
func TestMovingTheLivePointerFailsNoBatchAndMixesNoVersions(t *testing.T) {
	t.Parallel()
	const events, batch, poison = 600, 20, 5
	s := mustStage(t, mustStack(t))
	var ids []string
	for i := range 2 { // product codes tell the version
		v := recommendtest.Version(fmt.Sprintf("m19000000000000%d", i))
		rename := func(code string) string { return fmt.Sprintf("V%d%s", i, code) }
		for n := range v.Items {
			v.Items[n].Code = rename(v.Items[n].Code)
		}
		for n, c := range v.Customers {
			v.Customers[n].Rated = slices.Clone(c.Rated)
			for k, code := range c.Rated {
				v.Customers[n].Rated[k] = rename(code)
			}
		}
		mustGoLive(t, s.vectors, v)
		ids = append(ids, v.ID)
	}
	clicks := clicksOf(*faultSeed, events)
	for i := range clicks { // half of what is browsed belongs to each version
		clicks[i].data = bytes.ReplaceAll(clicks[i].data, []byte(`"L`), fmt.Appendf(nil, `"V%dL`, i%2))
	}
	stream := newMemoryStream(withPoison(*faultSeed, clicks, poison))
	// the gate refuses what was rolled back
	forced := vectorstore.PromoteOptions{Actor: "test", Reason: "to and fro", Force: true}
	moves := 0
	move := func() {
		_, err := s.vectors.Rollback(t.Context(), byTest)
		if err == nil {
			err = s.vectors.Promote(t.Context(), ids[1], forced)
		}
		if err != nil {
			t.Errorf("move the pointer: %v", err)
		}
		moves += 2
	}
	// A batch of each version, whatever the moves then meet.
	incomplete := stream.part(0, batch).mustDrain(t, s.function, batch)
	if _, err := s.vectors.Rollback(t.Context(), byTest); err != nil {
		t.Fatal(err)
	}
	incomplete += stream.part(batch, 2*batch).mustDrain(t, s.function, batch)
	if err := s.vectors.Promote(t.Context(), ids[1], forced); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var mover sync.WaitGroup
	defer mover.Wait()
	defer stop()
	mover.Go(func() {
		for ctx.Err() == nil && !t.Failed() {
			move()
		}
	})
	incomplete += stream.part(2*batch, len(stream.records)).mustDrain(t, s.function, batch)
	stop()
	mover.Wait()
	report := stream.mustAudit(t, s.store)
	mustHold(t, report, events+poison, poison)
	t.Logf("%d moves, answers by version %v", moves, report.Versions)
	if incomplete > 0 || report.Duplicates > 0 || report.Versions[ids[0]] == 0 || report.Versions[ids[1]] == 0 {
		t.Errorf("%d batches came back, %d lines are there twice, answers by version %v", incomplete, report.Duplicates,
			report.Versions)
	}
	for _, r := range mustRecords(t, s.store) {
		mustBeOf(t, recommend.Answer{Items: r.RecommendedItems, Similar: r.SimilarItems, Source: r.Recommendation.Source,
			ModelVersion: r.Recommendation.ModelVersion})
	}
}
