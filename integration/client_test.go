package integration

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/checksum"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/shardreader"
)

// TestAGeneratedClient makes a TypeScript client from the document that serve serves, with the generator that
// integration/client pins. It compiles the client's own test strictly, and runs it against serve.
func TestAGeneratedClient(t *testing.T) {
	t.Parallel()
	folder := mustClient(t)
	stack := mustStack(t)
	dsn := stack.mustVectorDatabase(t)
	mustGoLive(t, mustVectorStore(t, dsn), recommendtest.Version("m900000000000009"))
	double := &firehoseDouble{t: t, folder: objectstore.NewFolder(t.TempDir())}
	firehose := httptest.NewServer(double)
	t.Cleanup(firehose.Close) // after serve has ended
	const key = "sk_of-the-generated-client"
	digest := sha256.Sum256([]byte(key))
	stream := mustOwnStream(t, stack)
	base := mustServe(t, dsn, "AWS_ENDPOINT_URL="+*stack.AWS.BaseEndpoint, "AWS_ENDPOINT_URL_FIREHOSE="+firehose.URL,
		"AWS_REGION="+stack.AWS.Region, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "ACTIVITY_STREAM="+stream,
		"RECOMMENDATIONS_DELIVERY_STREAM=recommendations",
		`SITE_KEYS={"keys":[{"secret_sha256":"`+hex.EncodeToString(digest[:])+`"}]}`)
	run := func(name string, arguments ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, arguments...)
		cmd.Dir = folder
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(arguments, " "), err, out, &stderr)
		}
		return out
	}
	run("node", "node_modules/openapi-typescript/bin/cli.js", base+"/openapi.json", "-o", "kindred.ts")
	run("node", "node_modules/typescript/bin/tsc")
	var said struct{ Recommendation, Event, Strip string }
	if err := json.Unmarshal(run("node", "out/check.js", base, key), &said); err != nil {
		t.Fatal(err)
	}
	events := mustEventsOf(t, stack, stream)
	if e := events[said.Event]; !strings.Contains(e, `"recommendation_id":"`+said.Recommendation+`"`) {
		t.Errorf("the client's event on the stream is %q, want one of the recommendation %s", e, said.Recommendation)
	}
	waitFor(t, "the answers that the client got are delivered", func() bool {
		records := mustRecords(t, double.folder)
		_, strip := records[said.Strip]
		_, session := records[said.Recommendation]
		return strip && session
	})
}

// mustEventsOf reads the events of a stream, by their ids.
func mustEventsOf(t *testing.T, stack Stack, stream string) map[string]string {
	t.Helper()
	reader, events := shardreader.New(kinesis.NewFromConfig(stack.AWS), stream), map[string]string{}
	shards, err := reader.Shards(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range shards {
		err := reader.Read(t.Context(), shard, "", func(p activity.Position, data []byte) error {
			for _, item := range activity.Read(nil, p, data) {
				if item.Fault != nil {
					return item.Fault
				}
				events[item.Event.EventID] = string(item.Data)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return events
}

// mustClient returns a folder of the test's own with the sources of integration/client, and the packages that its
// lock file names, which npm installs once. Without npm the test is skipped.
func mustClient(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("NOT TESTED: a client that is generated from serve's OpenAPI document, because there is no npm on the PATH")
		}
	}
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("client")); err != nil {
		t.Fatal(err)
	}
	lock, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	opt, err := filepath.Abs(filepath.Join(cmp.Or(os.Getenv("KINDRED_RUNTIMES"), filepath.Join("..", ".kindred")), "opt"))
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(opt, "client-"+checksum.Bytes(lock)[:16])
	installing.Lock()
	defer installing.Unlock()
	if _, err := os.Stat(home); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(opt, 0o755); err != nil {
			t.Fatal(err)
		}
		part, err := os.MkdirTemp(opt, "client-part-*")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(part)
		if err := os.CopyFS(part, os.DirFS("client")); err != nil {
			t.Fatal(err)
		}
		install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
		install.Dir = part
		if out, err := install.CombinedOutput(); err != nil {
			t.Fatalf("install the generator: %v: %s", err, out)
		}
		if err := os.Rename(part, home); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(home, "node_modules"), filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return folder
}
