package integration

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
)

// lake is a part of a bucket of a test's own, and how etl processes reach it.
type lake struct {
	stack    Stack
	bucket   string
	location string
	store    *objectstore.S3
	repo     *commit.Repository
}

func (s Stack) mustLake(t *testing.T) lake {
	t.Helper()
	return lake{stack: s, bucket: s.mustBucket(t)}.another()
}

// another is an empty lake in the same bucket. It is as good as a bucket of its own, and cheaper.
func (l lake) another() lake {
	prefix := randomName()
	l.location = "s3://" + l.bucket + "/" + prefix
	l.store = objectstore.NewS3(awsclient.S3(l.stack.AWS), l.bucket, prefix)
	l.repo = commit.NewRepository(l.store, envconfig.TrainingSetPrefix)
	return l
}

// env is a process's environment; endpoint, when not empty, stands between it and S3. Whatever
// database a test reads, it is the same shop with other rows.
func (l lake) env(dsn, endpoint string) []string {
	if endpoint == "" {
		endpoint = *l.stack.AWS.BaseEndpoint
	}
	var env []string
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); !strings.HasPrefix(name, "AWS_") && !strings.HasPrefix(name, "ETL_") &&
			name != "MYSQL_DSN" && name != "LAKE_BUCKET" && name != "SHOP_NAME" {
			env = append(env, pair)
		}
	}
	return append(env, "AWS_ENDPOINT_URL="+endpoint, "AWS_REGION="+l.stack.AWS.Region, "AWS_ACCESS_KEY_ID=test",
		"AWS_SECRET_ACCESS_KEY=test",
		"AWS_EC2_METADATA_DISABLED=true", "MYSQL_DSN="+dsn, "LAKE_BUCKET="+l.location, "SHOP_NAME=shop")
}

// answer is how a process ended.
type answer struct {
	code           int // -1: by a signal
	stdout, stderr string
}

// run runs a program to its end.
func run(t *testing.T, env []string, name string, args ...string) answer {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s: %v", name, err)
	}
	return answer{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// etl runs etl on a shop.
func (l lake) etl(t *testing.T, dsn string, args ...string) answer {
	t.Helper()
	return run(t, l.env(dsn, ""), mustProgram(t, "etl"), args...)
}

func (l lake) mustEtl(t *testing.T, dsn string, args ...string) answer {
	t.Helper()
	a := l.etl(t, dsn, args...)
	if a.code != 0 {
		t.Fatalf("etl %q: exit %d: %s", args, a.code, a.stderr)
	}
	return a
}

// wantSentence checks that a run was refused with one line.
func (a answer) wantSentence(t *testing.T, code int, part string) {
	t.Helper()
	said := complaint(a.stderr)
	if a.code != code || !strings.Contains(said, part) || strings.Count(said, "\n") != 1 || a.stdout != "" {
		t.Errorf("exit %d, %q, %q; want %d and one sentence with %q", a.code, a.stdout, a.stderr, code, part)
	}
}

// complaint is what a program says of its failure: without the first line, which names the places
// that it works on, and without the last one, if that only says how the local stack is filled again.
func complaint(stderr string) string {
	if first, rest, _ := strings.Cut(stderr, "\n"); strings.Contains(first, " works on: ") {
		stderr = rest
	}
	before, last, found := strings.Cut(stderr, "\n")
	if found && strings.HasPrefix(last, "The local stack keeps ") && strings.Count(last, "\n") == 1 {
		return before + "\n"
	}
	return stderr
}

// wantWhole reads the current set whole, so a mix of two sets or a damaged one fails, and checks
// which one it is.
func (l lake) wantWhole(t *testing.T, runs ...string) *trainingset.Set {
	t.Helper()
	m, err := l.repo.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, err := trainingset.Read(t.Context(), l.repo, m, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range runs {
		if m.Run == want {
			return set
		}
	}
	if len(runs) > 0 {
		t.Fatalf("current is run %s, want one of %q", m.Run, runs)
	}
	return set
}

func (l lake) current(t *testing.T) string {
	t.Helper()
	m, err := l.repo.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m.Run
}

// s3Proxy stands between a process and S3 and lets a test stop or spoil single requests.
type s3Proxy struct {
	URL   string
	mutex sync.Mutex
	seen  []string // "PUT /bucket/key"
}

// intercept may handle a request itself, and then returns true. n counts requests from 1; pass
// forwards it to S3.
type intercept func(n int, w http.ResponseWriter, r *http.Request, pass http.Handler) bool

func (l lake) mustProxy(t *testing.T, f intercept) *s3Proxy {
	t.Helper()
	target, err := url.Parse(*l.stack.AWS.BaseEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(target)
	// the client is dead
	pass.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	p := &s3Proxy{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mutex.Lock()
		p.seen = append(p.seen, r.Method+" "+r.URL.Path)
		n := len(p.seen)
		p.mutex.Unlock()
		if !f(n, w, r, pass) {
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	p.URL = server.URL
	return p
}

// requests are those that came.
func (p *s3Proxy) requests() []string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return append([]string(nil), p.seen...)
}

// wait waits for something that another process does.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(180 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited three minutes for %s", what)
		}
	}
}
