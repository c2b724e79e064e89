package integration

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

// swapTime: go test ./integration -run TestNoAnswerIsWrongWhileThePointerMoves -swap-time 60s
var swapTime = flag.Duration("swap-time", 8*time.Second,
	"how long clients ask while versions are promoted and rolled back 20 times")

// swap is a move of the pointer, which happened at some moment from began to ended.
type swap struct {
	to           string
	began, ended time.Time
}

// answered is one request and the versions that answered it.
type answered struct {
	began, ended time.Time
	versions     []string
}

// couldAnswer says whether the version may have been live at some moment of the request: it came to
// be before the request ended, and the next move ended after the request began.
func couldAnswer(swaps []swap, version string, a answered) bool {
	for i, s := range swaps {
		if s.to == version && s.began.Before(a.ended) && (i+1 == len(swaps) || swaps[i+1].ended.After(a.began)) {
			return true
		}
	}
	return false
}

func TestCouldAnswer(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	swaps := []swap{{"a", at(0), at(1)}, {"b", at(10), at(12)}, {"a", at(20), at(21)}}
	for _, test := range []struct {
		version    string
		began, end int
		want       bool
	}{{"a", 2, 3, true}, {"b", 2, 9, false}, {"b", 2, 11, true}, {"a", 11, 13, true}, {"a", 13, 19, false},
		{"b", 22, 30, false}, {"b", 20, 30, true}, {"c", 0, 99, false}} {
		if got := couldAnswer(swaps, test.version, answered{began: at(test.began), ended: at(test.end)}); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

// Eight clients ask without a pause while versions are promoted and rolled back 20 times, with a
// canary part of the time. No request fails, no answer is empty, every answer is from one version
// that was live, or the canary, at some moment of its request.
func TestNoAnswerIsWrongWhileThePointerMoves(t *testing.T) {
	t.Parallel()
	const clients, moves = 8, 20
	dsn := mustStack(t).mustVectorDatabase(t)
	writer := mustVectorStore(t, dsn)
	readers := mustVectorStore(t, withSettings(t, dsn, "pool_max_conns", fmt.Sprint(clients)))
	ids := mustTellingVersions(t, writer, 3)
	canary := ids[2]
	var swaps []swap
	move := func(to string, do func() error) {
		began := time.Now()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		swaps = append(swaps, swap{to, began, time.Now()})
	}
	forced := vectorstore.PromoteOptions{Actor: "test", Reason: "to and fro", Force: true}
	promote := func(id string) func() error { return func() error { return writer.Promote(t.Context(), id, forced) } }
	move(ids[0], promote(ids[0]))

	recommender := recommend.New(readers)
	stop := make(chan struct{})
	requests := make([][]answered, clients)
	var done atomic.Int64
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				a := answered{began: time.Now()}
				answers, err := recommender.Batch(t.Context(), swapEvents(c, n))
				a.ended = time.Now()
				if err != nil {
					t.Errorf("request failed: %v", err)
					return
				}
				for _, answer := range answers {
					mustBeOf(t, answer)
					a.versions = append(a.versions, answer.ModelVersion)
				}
				requests[c] = append(requests[c], a)
				done.Add(1)
			}
		})
	}
	pause := time.NewTicker(*swapTime / moves)
	defer pause.Stop()
	for i := range moves {
		<-pause.C
		wait(t, "the clients", func() bool { return done.Load() >= int64(i*clients) || t.Failed() })
		if i%2 == 0 {
			move(ids[1], promote(ids[1]))
		} else {
			move(ids[0], func() error { _, err := writer.Rollback(t.Context(), byTest); return err })
		}
		switch i {
		case 6:
			if err := writer.StartCanary(t.Context(), canary, 0.3, byTest); err != nil {
				t.Error(err)
			}
		case 13:
			if _, err := writer.StopCanary(t.Context(), byTest); err != nil {
				t.Error(err)
			}
		}
	}
	close(stop)
	all.Wait()
	mustHaveBeenLive(t, slices.Concat(requests...), swaps, canary)
}

// mustTellingVersions loads versions whose product codes begin with V and the version's number.
func mustTellingVersions(t *testing.T, store *vectorstore.Store, n int) (ids []string) {
	t.Helper()
	for i := range n {
		v := randomVersion(fmt.Sprintf("m16000000000000%d", i), uint64(i), 300, 20, 16)
		rename := func(code string) string { return fmt.Sprintf("V%d%s", i, code) }
		for n := range v.Items {
			v.Items[n].Code = rename(v.Items[n].Code)
		}
		for n := range v.Customers {
			for k, code := range v.Customers[n].Rated {
				v.Customers[n].Rated[k] = rename(code)
			}
		}
		ids = append(ids, v.ID)
		if _, err := store.Load(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// mustHaveBeenLive checks that each request was answered by one version that was live meanwhile, or
// by the canary too.
func mustHaveBeenLive(t *testing.T, requests []answered, swaps []swap, canary string) {
	t.Helper()
	count := map[string]int{}
	for _, a := range requests {
		lives := map[string]bool{}
		for _, version := range a.versions {
			count[version]++
			if version != canary {
				lives[version] = true
			}
		}
		for version := range lives {
			if len(lives) > 1 || !couldAnswer(swaps, version, a) {
				t.Fatalf("a request from %v to %v was answered by %v; the pointer moved %v", a.began, a.ended, a.versions, swaps)
			}
		}
	}
	t.Logf("%v, %d moves, %d requests, answers by version %v", *swapTime, len(swaps), len(requests), count)
	if len(count) != 3 {
		t.Errorf("too little happened: %d requests, answers by version %v", len(requests), count)
	}
}

// swapEvents are a client's next events: of known and unknown customers, with sessions and without.
func swapEvents(client, n int) []*activity.Event {
	known, unknown := activity.ID(strconv.Itoa(100+n%20)), activity.ID("9999")
	session := fmt.Sprintf("session-%d-%d", client, n)
	browsed := []activity.Browse{{ProductCode: activity.ID(fmt.Sprintf("V0S%06d", n%300))},
		{ProductCode: activity.ID(fmt.Sprintf("V1S%06d", n%300))}, {ProductCode: "V2S000001"}}
	return []*activity.Event{{SessionID: session, CustomerID: &known, BrowseHistory: browsed},
		{SessionID: session, BrowseHistory: browsed[:2]},
		{SessionID: session + "b", CustomerID: &unknown}, {SessionID: session + "c", CustomerID: &known}}
}

// mustBeOf checks that everything in the answer is of the version that it names.
func mustBeOf(t *testing.T, a recommend.Answer) {
	t.Helper()
	prefix := "V" + a.ModelVersion[len(a.ModelVersion)-1:]
	if len(a.Items) != 10 {
		t.Errorf("an answer of %d products: %+v", len(a.Items), a)
	}
	for _, item := range a.Items {
		if !strings.HasPrefix(item.ID, prefix) {
			t.Errorf("version %s recommends %s", a.ModelVersion, item.ID)
		}
	}
	if a.Similar == nil {
		if a.Source == activity.SourceSession {
			t.Errorf("a session without similar products: %+v", a)
		}
		return
	}
	for _, near := range a.Similar.SimilarItems {
		if !strings.HasPrefix(near.ID, prefix) {
			t.Errorf("version %s finds %s similar", a.ModelVersion, near.ID)
		}
	}
}
