package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"kindred/internal/job/verify"
	"kindred/internal/job/verify/redrive"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/artifact"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/shardreader"
	"kindred/localstack/provision"
	"kindred/localstack/settings"
)

// redriveKills end `verify redrive` one after the other at its n-th write, before or after the
// service gets it: among the calls of the stream, between them and the markers, among the markers,
// and among the failed batches.
var redriveKills = []struct {
	write int
	after bool
}{{1, false}, {1, true}, {4, true}, {8, false}, {20, true}, {20, false}}

// TestRedriveAnswersAllThatAFaultStoppedThoughKilled stops events in both ways: a function with a
// bug takes them for bad and puts them into quarantine, then a database that is down makes the
// mapping give batches up. After both are mended `verify redrive` is killed several times, and run
// to its end.
func TestRedriveAnswersAllThatAFaultStoppedThoughKilled(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	own := mustOwnSettings(t, stack)
	own.Mapping.MaximumRetryAttempts = 0 // given up at once
	dsn := stack.mustVectorDatabase(t)
	mustGoLive(t, mustVectorStore(t, dsn), recommendtest.Version("m800000000000001"))
	sound, err := functionZip()
	if err != nil {
		t.Fatal(err)
	}
	c := ownStream{stack: stack, own: own, reader: shardreader.New(kinesis.NewFromConfig(stack.AWS), own.Stream.Name),
		store: objectstore.NewS3(awsclient.S3(stack.AWS), own.Buckets.Recommendations.Name, "")}

	c.mustApply(t, mustFunctionWithABug(t, stack.FunctionOS), dsn)
	c.mustSend(t, 20, 16, 5)
	// A machine under load may give up a sound batch too. Then its events are answered by the redrive.
	first := c.mustContent(t)
	c.mustSettle(t, func(r verify.Report) bool {
		return r.Recommended+r.Quarantined+r.OnFailure == first.short+first.long+first.bad
	})
	answeredFirst := c.mustAudit(t).Recommended

	c.mustApply(t, sound, "postgres://nobody@127.0.0.1:1/nothing?sslmode=disable")
	c.mustSend(t, 30, 0, 3)
	all := c.mustContent(t) // before the redrive adds records
	stopped := all.long + all.short - answeredFirst
	c.mustSettle(t, func(r verify.Report) bool { return r.OnFailure+r.Quarantined == stopped+all.bad })

	c.mustApply(t, sound, dsn)
	program := mustProgram(t, "verify")
	sent := 0
	for _, kill := range redriveKills {
		sent += c.redriveUntil(t, program, kill.write, kill.after)
	}
	last, result := c.redrive(t, program), redrive.Result{}
	if err := readResult(last.stdout, &result); err != nil || last.code != 0 {
		t.Fatalf("redrive: exit %d: %s%s", last.code, last.stdout, last.stderr)
	}
	var again redrive.Result
	if a := c.redrive(t, program); a.code != 0 || readResult(a.stdout, &again) != nil || again.Sent != 0 {
		t.Errorf("a redrive after a whole one sent %+v: %s", again, a.stderr)
	}

	c.mustSettle(t, func(r verify.Report) bool { return r.InFlight+r.Lost == 0 && r.Redriven == stopped })
	r := c.mustAudit(t)
	if r.Fault() != nil || r.Quarantined < all.bad || r.OnFailure+r.Quarantined != stopped+all.bad {
		t.Errorf("after the redrive:\n%s", r)
	}
	// A run that was killed repeats what it had sent, which is all that may be there twice.
	if lines := answeredFirst + int64(sent) + result.Sent; r.Duplicates != lines-int64(len(all.ids)) {
		t.Errorf("%d duplicates; %d were answered at once, killed runs sent %d and the last one %d, for %d events",
			r.Duplicates, answeredFirst, sent, result.Sent, len(all.ids))
	}
	answered := mustRecords(t, c.store)
	for id := range all.ids {
		if _, ok := answered[activity.RecommendationID(id, "")]; !ok {
			t.Errorf("event %s was never answered", id)
		}
	}
	if len(answered) != len(all.ids) {
		t.Errorf("%d recommendation ids for %d events", len(answered), len(all.ids))
	}
	if n := countObjects(t, c.store, envconfig.QuarantinePrefix); int64(n) != r.Quarantined {
		t.Errorf("%d objects in quarantine, and the audit counts %d", n, r.Quarantined)
	}
}

// ownStream is a whole stream of the test's own.
type ownStream struct {
	stack  Stack
	own    settings.Settings
	reader *shardreader.Reader
	store  *objectstore.S3
}

func (c ownStream) mustApply(t *testing.T, zip []byte, dsn string) {
	t.Helper()
	_, err := provision.Apply(t.Context(), c.stack.AWS, c.own,
		provision.Function{Zip: zip, Env: map[string]string{"PGVECTOR_DSN": dsn}})
	if err != nil {
		t.Fatal(err)
	}
}

// mustSend puts events with a short and with a long history on the stream, every other one without
// an id, and bad records.
func (c ownStream) mustSend(t *testing.T, short, long, bad int) {
	t.Helper()
	var entries []types.PutRecordsRequestEntry
	for i := range short + long + bad {
		id, history := "", []string{`{"product_code":"L1_01","quantity":"1"}`}
		if i%2 == 0 {
			id = fmt.Sprintf(`"event_id":%q,`, randomName())
		}
		if i >= short {
			history = append(history, `{"product_code":"L1_02","quantity":2}`, `{"product_code":"L2_03"}`)
		}
		data := fmt.Sprintf(`{%s"session_id":"s%d","browse_history":[%s]}`, id, i%5, strings.Join(history, ","))
		if i >= short+long {
			data = data[:len(data)-2]
		}
		entries = append(entries, types.PutRecordsRequestEntry{PartitionKey: aws.String(fmt.Sprintf("s%d", i%5)),
			Data: []byte(data)})
	}
	out, err := kinesis.NewFromConfig(c.stack.AWS).PutRecords(t.Context(),
		&kinesis.PutRecordsInput{StreamName: &c.own.Stream.Name, Records: entries})
	if err != nil || aws.ToInt32(out.FailedRecordCount) > 0 {
		t.Fatalf("put records: %v, %+v", err, out)
	}
}

func (c ownStream) mustAudit(t *testing.T) verify.Report {
	t.Helper()
	r, err := verify.New(c.reader, c.store).Run(t.Context(), verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// mustSettle waits until the audit is as it must become.
func (c ownStream) mustSettle(t *testing.T, done func(verify.Report) bool) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), catchUp)
	defer stop()
	for {
		r := c.mustAudit(t)
		if done(r) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not settled:\n%s", r)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// content is what a stream holds: records by what mustSend made them, and the ids of the events.
type content struct {
	short, long, bad int64
	ids              map[string]bool
}

// mustContent reads the stream. A producer's retry may put a record twice, so what was sent does not
// tell what is there.
func (c ownStream) mustContent(t *testing.T) content {
	t.Helper()
	all := content{ids: map[string]bool{}}
	shards, err := c.reader.Shards(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range shards {
		err := c.reader.Read(t.Context(), shard, "", func(p activity.Position, data []byte) error {
			switch e, err := activity.Parse(data); {
			case err != nil:
				all.bad++
			default:
				all.ids[activity.EventID(e, p)] = true
				if len(e.BrowseHistory) > 1 {
					all.long++
				} else {
					all.short++
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func (c ownStream) env(endpoint string) []string {
	env := c.own.Env()
	env["AWS_ENDPOINT_URL"], env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = endpoint, "test", "test"
	list := os.Environ()
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

func (c ownStream) redrive(t *testing.T, verify string) answer {
	t.Helper()
	return run(t, c.env(*c.stack.AWS.BaseEndpoint), verify, "redrive", "--json")
}

// redriveUntil kills a redrive at its n-th write, which the service gets first if after, and
// returns how many records the stream had taken. A run with fewer writes ends by itself.
func (c ownStream) redriveUntil(t *testing.T, verify string, n int, after bool) (sent int) {
	t.Helper()
	target, err := url.Parse(*c.stack.AWS.BaseEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), verify, "redrive", "--json")
	var mu sync.Mutex // one write at a time, so that none passes the one that kills
	writes, dead := 0, false
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		put := strings.Contains(r.Header.Get("X-Amz-Target")+r.URL.Path, "PutRecords")
		if !put && r.Method != http.MethodPut {
			proxy.ServeHTTP(w, r)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if dead {
			return
		}
		writes++
		kill := func() {
			dead = true
			if err := cmd.Process.Kill(); err != nil {
				t.Errorf("kill redrive: %v", err)
			}
		}
		if writes == n && !after {
			kill()
			return
		}
		answer := httptest.NewRecorder()
		proxy.ServeHTTP(answer, r)
		var taken struct {
			Records []struct{ SequenceNumber string }
		}
		if put && json.Unmarshal(answer.Body.Bytes(), &taken) == nil {
			sent += len(taken.Records)
		}
		if writes == n {
			kill()
			return
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	defer server.Close()
	cmd.Env = c.env(server.URL)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err = cmd.Run()
	mu.Lock()
	defer mu.Unlock()
	if dead != (err != nil) {
		t.Errorf("redrive until write %d: killed %t, %v: %s", n, dead, err, stderr.String())
	}
	return sent
}

// mustFunctionWithABug builds the function with a limit of two products in an event's history.
func mustFunctionWithABug(t *testing.T, goos string) []byte {
	t.Helper()
	dir := t.TempDir()
	file, err := filepath.Abs("../internal/stream/activity/parse.go")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const limit, buggy = "MaxBrowseHistory = 10_000", "MaxBrowseHistory = 2"
	if !bytes.Contains(source, []byte(limit)) {
		t.Fatalf("%s has no %q", file, limit)
	}
	changed, bootstrap := filepath.Join(dir, "parse.go"), filepath.Join(dir, "bootstrap")
	if err := os.WriteFile(changed, bytes.Replace(source, []byte(limit), []byte(buggy), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-tags",
		"lambda.norpc", "-o", bootstrap,
		"kindred/lambdas/recommend")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the function: %v\n%s", err, out)
	}
	binary, err := os.ReadFile(bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := artifact.Pack(binary, nil)
	if err != nil {
		t.Fatal(err)
	}
	return zip
}
