package promotion

import (
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	memory "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// answering is AWS with given answers: the operation's first, then its second, and the last for ever.
func answering(t *testing.T, answers map[string][]string) aws.Config {
	t.Helper()
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		left := answers[operation]
		if len(left) == 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if len(left) > 1 {
			answers[operation] = left[1:]
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = io.WriteString(w, left[0])
	}))
	t.Cleanup(server.Close)
	return aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL,
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
}

func TestTaskMustEndWell(t *testing.T) {
	t.Parallel()
	const started = `{"tasks": [{"taskArn": "task"}]}`
	const running = `{"tasks": [{"taskArn": "task", "lastStatus": "RUNNING", "containers": [{"name": "publish"}]}]}`
	tests := map[string]struct {
		run, seen []string
		want      string // "" wants no error
	}{
		"well": {[]string{started},
			[]string{running, `{"tasks": [{"lastStatus": "STOPPED", "containers": [{"name": "publish", "exitCode": 0}]}]}`}, ""},
		"an answer gets lost": {[]string{started}, []string{running, `no answer`,
			`{"tasks": [], "failures": [{"reason": "MISSING"}]}`,
			`{"tasks": [{"lastStatus": "STOPPED", "containers": [{"name": "publish", "exitCode": 0}]}]}`}, ""},
		"exit code": {[]string{started},
			[]string{running, `{"tasks": [{"lastStatus": "STOPPED", "stoppedReason": "Essential container in task exited", "containers": [{"name": "publish", "exitCode": 1}]}]}`}, "publish ended with 1"},
		"never began": {[]string{started},
			[]string{`{"tasks": [{"lastStatus": "STOPPED", "stoppedReason": "CannotPullContainerError: not found", "containers": [{"name": "publish"}]}]}`}, "CannotPullContainerError"},
		"out of memory": {[]string{started},
			[]string{`{"tasks": [{"lastStatus": "STOPPED", "containers": [{"name": "publish", "exitCode": 137, "reason": "OutOfMemoryError"}]}]}`}, "OutOfMemoryError"},
		"no place": {[]string{`{"tasks": [], "failures": [{"reason": "RESOURCE:ENI"}]}`}, nil, "RESOURCE:ENI"},
		"gone":     {[]string{started}, []string{`{"tasks": [], "failures": [{"reason": "MISSING"}]}`}, "MISSING"},
		"no container": {[]string{started}, []string{`{"tasks": [{"lastStatus": "STOPPED", "containers": []}]}`},
			"see its log group"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := Promotion{AWS: answering(t, map[string][]string{"RunTask": test.run, "DescribeTasks": test.seen}),
				Probe: time.Millisecond}
			var o Outputs
			o.Batch.SubnetIDs, o.Batch.Tasks = []string{"subnet-1"}, map[string]string{"publish": "definition:1"}
			_, err := p.RunTask(t.Context(), o, "publish", "/publish", "migrate")
			if test.want == "" && err != nil || test.want != "" &&
				(!errors.Is(err, ErrTask) || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestChainMustSucceed(t *testing.T) {
	t.Parallel()
	for status, ok := range map[string]bool{"SUCCEEDED": true, "FAILED": false, "TIMED_OUT": false, "ABORTED": false} {
		p := Promotion{Probe: time.Millisecond,
			AWS: answering(t, map[string][]string{"StartExecution": {`{"executionArn": "e"}`},
				"DescribeExecution": {`{"status": "RUNNING"}`, `no answer`, `{"status": "` + status +
					`", "cause": "A step failed"}`}})}
		if err := p.runChain(t.Context(), "machine"); ok != (err == nil) || !ok &&
			(!errors.Is(err, ErrChain) || !strings.Contains(err.Error(), "A step failed")) {
			t.Errorf("%s: %v", status, err)
		}
	}
}

func TestPushIsOnceAndNeverOverAnotherImage(t *testing.T) {
	t.Parallel()
	var puts []string
	content := memory.New(memory.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			puts = append(puts, r.URL.Path)
		}
		content.ServeHTTP(w, r)
	}))
	defer server.Close()
	repository := strings.TrimPrefix(server.URL, "http://") + "/kindred/batch"
	promotion := func(tag, token string) *Promotion {
		return &Promotion{Packages: mustImage(t), Tag: tag,
			AWS: answering(t, map[string][]string{"GetAuthorizationToken": {token}})}
	}
	const token = `{"authorizationData": [{"authorizationToken": "QVdTOnNlY3JldA=="}]}`
	first := promotion("one", token)
	for range 2 {
		if err := first.push(t.Context(), repository); err != nil {
			t.Fatal(err)
		}
	}
	if len(puts) != 4 {
		t.Errorf("the registry took %q, want three blobs and a tag, once", puts)
	}
	if err := promotion("one", token).push(t.Context(), repository); !errors.Is(err, ErrOtherImage) || len(puts) != 4 {
		t.Errorf("another image under the same tag: %v", err)
	}
	for _, bad := range []string{`{"authorizationData": []}`, `{"authorizationData": [{"authorizationToken": "` +
		base64.StdEncoding.EncodeToString([]byte("AWS:s3cret"))[:5] + `"}]}`} {
		if err := promotion("two", bad).push(t.Context(), repository); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("token %s: %v", bad, err)
		}
	}
}

// mustImage makes a package folder with an image.
func mustImage(t *testing.T) (folder string) {
	t.Helper()
	image, err := random.Image(100, 2)
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	if err := tarball.WriteToFile(filepath.Join(folder, imageFile), nil, image); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestOurImageIsPushable reads what image makes as the push does.
func TestOurImageIsPushable(t *testing.T) {
	t.Parallel()
	data, err := image([]entry{{"train", 0o755, []byte("program")}})
	if err != nil {
		t.Fatal(err)
	}
	read, err := tarball.Image(func() (io.ReadCloser,
		error) {
		return io.NopCloser(strings.NewReader(string(data))), nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := read.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	config, err := read.ConfigFile()
	if err != nil || config.Architecture != "arm64" || config.Config.User != "65532:65532" {
		t.Fatalf("configuration %+v, %v", config, err)
	}
	if diff, err := layers[0].DiffID(); err != nil || diff != config.RootFS.DiffIDs[0] {
		t.Errorf("layer %v, configuration %v, %v", diff, config.RootFS.DiffIDs, err)
	}
}
