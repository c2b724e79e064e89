package integration

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kindred/internal/serving/recommend/recommendtest"
)

// TestServeKeepsItsCapacityWhenTwiceAsMuchIsAsked puts a slow network before the database, whose
// delay outweighs all else, measures what serve answers, then asks twice as much, and measures again:
// a machine that became slower meanwhile has less capacity.
func TestServeKeepsItsCapacityWhenTwiceAsMuchIsAsked(t *testing.T) {
	t.Parallel()
	const load, longest = 15 * time.Second, time.Minute
	stack := mustStack(t)
	dsn := stack.mustVectorDatabase(t)
	mustGoLive(t, mustVectorStore(t, dsn), recommendtest.Version("m700000000000011"))
	proxy, through := mustProxy(t, stack, dsn)
	base := mustServe(t, through)
	ask := func(path string) (int, http.Header) { return askURL(t, base+path) }
	const path = "/customers/101/recommendations"
	// it is connected now, and its statements are prepared
	for _, path := range []string{path, path, path, path, "/health"} {
		if status, _ := ask(path); status != http.StatusOK {
			t.Fatalf("%s: status %d", path, status)
		}
	}
	slow := `{"name": "slow", "type": "latency", "attributes": {"latency": 50}}` // /health has 3.5 s for 30 round trips
	if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(slow)); err != nil {
		t.Fatal(err)
	}
	before := capacity(t, base+path)
	var answered, shed atomic.Int64
	var callers sync.WaitGroup
	var healthy atomic.Bool
	start := time.Now()
	loaded := func() bool { // longer if /health has not answered yet: a slow machine has little time for its questions
		return time.Since(start) < load || time.Since(start) < longest && !healthy.Load()
	}
	callers.Go(func() {
		for loaded() && !healthy.Load() {
			status, _ := ask("/health")
			healthy.Store(status == http.StatusOK)
		}
	})
	for pause := time.Duration(float64(time.Second) / (2 * before)); loaded(); time.Sleep(pause) {
		callers.Go(func() {
			switch status, header := ask(path); {
			case status == http.StatusOK:
				answered.Add(1)
			case status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
				shed.Add(1)
			default:
				t.Errorf("status %d", status)
			}
		})
	}
	callers.Wait() // what was let in is answered
	if !healthy.Load() {
		t.Error("/health never answers that all is well while requests are turned away")
	}
	got := float64(answered.Load()) / time.Since(start).Seconds()
	after := capacity(t, base+path)
	t.Logf("capacity %.1f/s, later %.1f/s; asked twice as much: %.1f/s answered, %d turned away",
		before, after, got, shed.Load())
	if got < 0.9*min(before, after) || shed.Load() == 0 {
		t.Errorf("of a capacity of %.1f/s, %.1f/s answered; %d turned away", min(before, after), got, shed.Load())
	}
}

// capacity is how many questions a second are answered when two callers, as many as serve has
// connections, each ask one after the other.
func capacity(t *testing.T, url string) float64 {
	t.Helper()
	const measure = 4 * time.Second
	var answered atomic.Int64
	var callers sync.WaitGroup
	start := time.Now()
	for range 2 {
		callers.Go(func() {
			for time.Since(start) < measure {
				if status, _ := askURL(t, url); status == http.StatusOK {
					answered.Add(1)
				}
			}
		})
	}
	callers.Wait()
	return float64(answered.Load()) / time.Since(start).Seconds()
}

// askURL reads an answer to its end; status 0: there is none.
func askURL(t *testing.T, url string) (status int, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, answer.Header
}

// TestServeEndsSoonAfterItsSignal sends SIGTERM to a serve whose database hangs in a question that
// was broken off, and to which a browser has opened a connection in advance.
func TestServeEndsSoonAfterItsSignal(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn := stack.mustVectorDatabase(t)
	mustGoLive(t, mustVectorStore(t, dsn), recommendtest.Version("m700000000000012"))
	proxy, through := mustProxy(t, stack, dsn)
	cmd, base := mustStartServe(t, through)
	ask := func() int {
		status, _ := askURL(t, base+"/customers/101/recommendations")
		return status
	}
	if status := ask(); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	if _, err := proxy.Toxics.AddToxicJson(
		strings.NewReader(`{"name": "hang", "type": "timeout", "attributes": {"timeout": 0}}`)); err != nil {
		t.Fatal(err)
	}
	if status := ask(); status != http.StatusServiceUnavailable {
		t.Errorf("with a database that hangs: status %d", status)
	}
	idle, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	// One connection is accepted after the other: with an answer over a later one, the idle one is there.
	later := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/openapi.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := later.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	told := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	took := time.Since(told)
	t.Logf("it ended %v after the signal", took)
	if err != nil || took > 4*time.Second { // about a second; it took 20, of which pgx's farewell alone is 15
		t.Errorf("it ended %v after the signal: %v", took, err)
	}
}
