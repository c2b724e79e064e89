package integration

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"kindred/internal/job/etl"
	"kindred/internal/lake/objectstore"
)

// change makes the shop's next set another one.
const change = "UPDATE ratings SET productRating = 2 WHERE customerNumber = 112"

// mustProxiedRequests runs etl once, on a bucket of its own that has a set already, and returns its
// requests to S3.
func mustProxiedRequests(t *testing.T, l lake, dsn, other string) []string {
	t.Helper()
	l.mustEtl(t, dsn)
	proxy := l.mustProxy(t, func(int, http.ResponseWriter, *http.Request, http.Handler) bool { return false })
	if a := run(t, l.env(other, proxy.URL), mustProgram(t, "etl")); a.code != 0 {
		t.Fatal(a.stderr)
	}
	return proxy.requests()
}

func TestReaderSeesOldOrNewWhereverEtlIsKilled(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	oldShop, _ := stack.mustShop(t, etlShop)
	newShop, _ := stack.mustShop(t, etlShop, change)
	all := stack.mustLake(t)
	requests := mustProxiedRequests(t, all.another(), oldShop, newShop)
	writes := 0
	for _, r := range requests {
		if strings.HasPrefix(r, "PUT") {
			writes++
		}
	}
	if writes != 5 { // three files, the manifest, CURRENT
		t.Fatalf("%d writes, want 5: %q", writes, requests)
	}
	for n := 1; n <= len(requests); n++ {
		for _, done := range []bool{false, true} { // is the request carried out before the process dies?
			if strings.HasPrefix(requests[n-1], "GET") && (done || n < len(requests)) {
				continue // between two writes it is all the same
			}
			t.Run(fmt.Sprintf("at request %d %s carried out %v", n, shortRequest(requests[n-1]), done), func(t *testing.T) {
				t.Parallel()
				l := all.another()
				l.mustEtl(t, oldShop)
				before := l.current(t)

				l.killAt(t, newShop, done, func(i int, _ *http.Request) bool { return i == n }, "--scratch-dir", t.TempDir())
				isNew := l.current(t) != before
				if swapped := n > swapOf(requests) || done && n == swapOf(requests); isNew != swapped {
					t.Errorf("the new set is current: %v, want %v", isNew, swapped)
				}
				l.wantWhole(t)
				var r etl.Result
				if err := readResult(l.mustEtl(t, newShop, "--json").stdout, &r); err != nil || r.NoOp != isNew {
					t.Errorf("the repeated run: no-op %v, error %v", r.NoOp, err)
				}
				l.wantWhole(t, r.RunID)
			})
		}
	}
}

// killAt runs etl and kills it by SIGKILL when the request comes that at picks, carried out or not.
func (l lake) killAt(t *testing.T, dsn string, done bool, at func(n int, r *http.Request) bool, args ...string) {
	t.Helper()
	reached, killed := make(chan struct{}), make(chan struct{})
	proxy := l.mustProxy(t, func(n int, w http.ResponseWriter, r *http.Request, pass http.Handler) bool {
		if !at(n, r) {
			return false
		}
		if done {
			pass.ServeHTTP(httptest.NewRecorder(), r)
		}
		close(reached)
		<-killed
		return true
	})
	cmd := exec.CommandContext(t.Context(), mustProgram(t, "etl"), args...)
	cmd.Env = l.env(dsn, proxy.URL)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer close(killed)
	select {
	case <-reached:
	case err := <-ended:
		t.Fatalf("etl ended before the request came: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
}

func TestReaderSeesOldOrNewWhereverCommitPartsIsKilled(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	oldShop, _ := stack.mustShop(t, etlShop)
	newShop, _ := stack.mustShop(t, etlShop, change)
	all := stack.mustLake(t)
	for _, step := range []struct {
		key  string
		done bool
	}{{"/run=j/manifest.json", false}, {"/run=j/manifest.json", true}, {"/CURRENT", false}, {"/CURRENT", true}} {
		t.Run(fmt.Sprintf("at %s carried out %v", step.key[strings.LastIndexByte(step.key, '/')+1:], step.done),
			func(t *testing.T) {
				t.Parallel()
				l := all.another()
				l.mustEtl(t, oldShop)
				before := l.current(t)
				for _, part := range []string{"0/2", "1/2"} {
					l.mustEtl(t, newShop, "--job", "j", "--partition", part)
				}
				l.killAt(t, newShop, step.done, func(_ int, r *http.Request) bool {
					return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, step.key)
				}, "commit-parts", "--job", "j")
				swapped := step.key == "/CURRENT" && step.done
				if isNew := l.current(t) != before; isNew != swapped {
					t.Errorf("the new set is current: %v, want %v", isNew, swapped)
				}
				l.wantWhole(t, before, "j")
				l.mustEtl(t, newShop, "commit-parts", "--job", "j")
				l.wantWhole(t, "j")
			})
	}
}

// shortRequest is a request's method and the last of its path, for a test's name.
func shortRequest(r string) string { return r[:4] + r[strings.LastIndexByte(r, '/')+1:] }

// swapOf is the number of the request that replaces CURRENT.
func swapOf(requests []string) int {
	for i, r := range requests {
		if strings.HasPrefix(r, "PUT") && strings.HasSuffix(r, "/CURRENT") {
			return i + 1
		}
	}
	return len(requests) + 1
}

func TestS3ErrorInTheMiddleLeavesTheOldSetAndIsOneSentence(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	oldShop, _ := stack.mustShop(t, etlShop)
	newShop, _ := stack.mustShop(t, etlShop, change)
	all := stack.mustLake(t)
	faults := map[string]func(w http.ResponseWriter){
		"503": func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"403": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
		},
		"broken connection": func(w http.ResponseWriter) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				conn.Close()
			}
		},
	}
	for _, test := range []struct {
		fault, key string
		forever    bool
	}{
		{"503", "ratings/", false}, {"503", "ratings/", true}, {"503", "/manifest.json", true}, {"503", "/CURRENT",
			false}, {"503", "/CURRENT", true},
		{"403", "customers/", true}, {"broken connection", "ratings/", false}, {"broken connection", "/CURRENT", true},
	} {
		t.Run(fmt.Sprintf("%s at %s for ever %v", test.fault, strings.Trim(test.key, "/"), test.forever), func(t *testing.T) {
			t.Parallel()
			l := all.another()
			l.mustEtl(t, oldShop)
			before := l.current(t)
			var mutex sync.Mutex
			met := 0
			proxy := l.mustProxy(t, func(_ int, w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				mutex.Lock()
				defer mutex.Unlock()
				if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, test.key) || met > 0 && !test.forever {
					return false
				}
				met++
				faults[test.fault](w)
				return true
			})
			a := run(t, l.env(newShop, proxy.URL), mustProgram(t, "etl"))
			if !test.forever {
				if a.code != 0 || met != 1 {
					t.Errorf("one fault: exit %d, %s, met %d times", a.code, a.stderr, met)
				}
				l.wantWhole(t)
				return
			}
			a.wantSentence(t, 1, "commit training set: ")
			l.wantWhole(t, before)
			l.mustEtl(t, newShop)
			l.wantWhole(t)
		})
	}
}

func TestOfConcurrentRunsOneWinsAndTheOthersSayWhich(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	all := stack.mustLake(t)
	for _, n := range []int{2, 8} {
		for _, same := range []bool{false, true} {
			if n == 2 && same {
				continue
			}
			t.Run(fmt.Sprintf("%d runs, same content %v", n, same), func(t *testing.T) {
				t.Parallel()
				l := all.another()
				first, db := stack.mustShop(t, etlShop)
				l.mustEtl(t, first)
				mustExec(t, db, change)
				shops := make([]string, n)
				for i := range shops {
					if shops[i] = first; !same {
						shops[i], _ = stack.mustShop(t, etlShop, change,
							fmt.Sprintf("UPDATE customers SET city = 'City %d' WHERE customerNumber = 200", i))
					}
				}
				// All have read CURRENT before one replaces it. A retry comes once more and need not wait.
				var arrived atomic.Int64
				all := make(chan struct{})
				proxy := l.mustProxy(t, func(_ int, _ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
					if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/CURRENT") {
						if arrived.Add(1) == int64(n) {
							close(all)
						}
						<-all
					}
					return false
				})
				answers := make([]answer, n)
				var group sync.WaitGroup
				for i := range answers {
					group.Go(func() { answers[i] = run(t, l.env(shops[i], proxy.URL), mustProgram(t, "etl"), "--json") })
				}
				group.Wait()
				winner, won := l.current(t), 0
				l.wantWhole(t)
				for _, a := range answers {
					var r etl.Result
					switch {
					case a.code != 0 && !same:
						a.wantSentence(t, 1, "another run was committed first: run "+winner)
					case a.code != 0:
						t.Errorf("a run of the same content: exit %d: %s", a.code, a.stderr)
					case readResult(a.stdout, &r) != nil || r.RunID != winner:
						t.Errorf("a run that ended well says %s, current is %s", a.stdout, winner)
					case !r.NoOp:
						won++
					}
				}
				if won != 1 {
					t.Errorf("%d runs won, want one", won)
				}
			})
		}
	}
}

// A slow run that began on the old set shall not replace one that was read later.
func TestSlowRunNeverReplacesANewerSet(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	oldShop, _ := stack.mustShop(t, etlShop)
	slow, _ := stack.mustShop(t, etlShop, change)
	newer, _ := stack.mustShop(t, etlShop, "DELETE FROM ratings WHERE customerNumber = 112")
	l := stack.mustLake(t)
	l.mustEtl(t, oldShop)
	reads := 0
	proxy := l.mustProxy(t, func(_ int, _ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/CURRENT") {
			if reads++; reads == 2 { // it has read the shop and is about to commit
				l.mustEtl(t, newer)
			}
		}
		return false
	})
	a := run(t, l.env(slow, proxy.URL), mustProgram(t, "etl"))
	a.wantSentence(t, 1, "another run was committed first: run "+l.current(t))
	if set := l.wantWhole(t); len(set.Interactions) != 3 {
		t.Errorf("%d ratings are current, want the newer set's 3", len(set.Interactions))
	}
}

func TestDamagedFileIsFoundAndNeverCommitted(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	oldShop, db := stack.mustShop(t, etlShop)
	l := stack.mustLake(t)
	l.mustEtl(t, oldShop)
	before := l.current(t)
	if a := l.mustEtl(t, oldShop, "verify"); !strings.HasPrefix(a.stdout, "Training set "+before+" is whole: 3 files") {
		t.Errorf("etl verify: %s", a.stdout)
	}

	// Somebody, or a broken disk, left other bytes where the next run's file goes.
	mustExec(t, db, change)
	scout := l.another()
	scout.mustEtl(t, oldShop)
	next := scout.current(t)
	key := "training-set/run=" + next + "/ratings/part-00000.parquet"
	if _, err := l.store.Put(t.Context(), key, strings.NewReader("damaged"), 7, objectstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	l.etl(t, oldShop).wantSentence(t, 1,
		"upload ratings/part-00000.parquet of run "+next+": run exists already with other content")
	l.wantWhole(t, before)

	// The current set's own file is damaged at rest.
	key = "training-set/run=" + before + "/customers/part-00000.parquet"
	data, _, err := objectstore.ReadAll(t.Context(), l.store, key)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if _, err := l.store.Put(t.Context(), key, strings.NewReader(string(data)), int64(len(data)),
		objectstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	l.etl(t, oldShop, "verify").wantSentence(t, 1,
		"check customers/part-00000.parquet of run "+before+": stored data is damaged: its SHA-256 begins ")
}

func TestWrongLakeIsOneSentence(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	shop, _ := stack.mustShop(t, etlShop)
	l := stack.mustLake(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.etl(t, shop, "--lake", "kindred-nobody-has-this-bucket").wantSentence(t, 2,
		"bucket kindred-nobody-has-this-bucket does not exist")
	l.etl(t, shop, "--lake", "file://"+file).wantSentence(t, 2, "is a file, want a folder")
	l.etl(t, shop, "--lake", "file://"+file+"/lake").wantSentence(t, 1, "not a directory")
	l.etl(t, shop, "--scratch-dir", file).wantSentence(t, 1, "create scratch folder: ")
}
