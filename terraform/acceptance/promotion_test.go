package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	memory "github.com/google/go-containerregistry/pkg/registry"

	"kindred/internal/platform/awsclient"
	"kindred/terraform/tf/promotion"
)

// registry stands in for ECR: it accepts the requests to every host, and requires the token that moto
// issues.
type registry struct {
	server *httptest.Server
	mu     sync.Mutex
	puts   []string // paths
}

func mustRegistry(t *testing.T) *registry {
	t.Helper()
	r, content := &registry{}, memory.New(memory.Logger(log.New(io.Discard, "", 0)))
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if user, password, ok := q.BasicAuth(); !ok || user != "AWS" || password != awsAccount+"-auth-token" {
			w.Header().Set("WWW-Authenticate", `Basic realm="ecr"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if q.Method == http.MethodPut {
			r.mu.Lock()
			r.puts = append(r.puts, q.URL.Path)
			r.mu.Unlock()
		}
		content.ServeHTTP(w, q)
	}))
	t.Cleanup(r.server.Close)
	return r
}

// RoundTrip sends every request to the registry, whatever its host.
func (r *registry) RoundTrip(q *http.Request) (*http.Response, error) {
	to, err := url.Parse(r.server.URL)
	if err != nil {
		return nil, err
	}
	sent := q.Clone(q.Context())
	sent.URL.Scheme, sent.URL.Host = to.Scheme, to.Host
	answer, err := http.DefaultTransport.RoundTrip(sent)
	if err == nil {
		answer.Request = q // a relative Location refers to it
	}
	return answer, err
}

// wantImage checks that the tag was pushed once, after its two layers and its configuration.
func (r *registry) wantImage(t *testing.T, tag string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.puts) != 4 || r.puts[3] != "/v2/kindred-dev/batch/manifests/"+tag {
		t.Errorf("the registry took %q, want three blobs and the tag", r.puts)
	}
}

// checkLock holds the state's lock as another apply would. An apply of the same environment must fail;
// one of another environment must not.
func checkLock(t *testing.T, cfg aws.Config, w *promotion.Workspace, moto moto, dev environment) {
	lock := &s3.PutObjectInput{Bucket: aws.String(stateBucket), Key: aws.String("dev.tfstate.tflock"),
		IfNoneMatch: aws.String("*"),
		Body: strings.NewReader(
			`{"ID":"7e57","Operation":"OperationTypeApply","Info":"","Who":"somebody else","Version":"1.11.4","Created":"2026-01-01T00:00:00Z","Path":"kindred-state/dev.tfstate"}`)}
	client := awsclient.S3(cfg)
	if _, err := client.PutObject(t.Context(), lock); err != nil {
		t.Fatal(err)
	}
	_, err := dev.root.Run(t.Context(), "apply", "-input=false", "-no-color", "-auto-approve", dev.vars)
	if err == nil || !strings.Contains(err.Error(), "Error acquiring the state lock") ||
		!strings.Contains(err.Error(), "somebody else") {
		t.Errorf("an apply during another one: %v", err)
	}
	stage := newEnvironment(t, w, moto, "stage") // another key, another lock
	stage.mustRun(t, "apply", "-input=false", "-no-color", "-auto-approve", "-target=module.kms", stage.vars)
	stage.mustRun(t, "destroy", "-input=false", "-no-color", "-auto-approve", stage.vars)
	if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: lock.Bucket, Key: lock.Key}); err != nil {
		t.Fatal(err)
	}
	if changes := dev.mustPlan(t); len(changes) > 0 {
		t.Errorf("the other environment's apply changed this one: %v", changes)
	}
}

// checkRolledBack promotes other functions, and lets their smoke test fail.
func checkRolledBack(t *testing.T, cfg aws.Config, dev environment, r *registry) {
	before := aliases(t, cfg)
	mustFunctions(t, dev.packages, "second")
	broken := errors.New("no answer")
	p := dev.promotion(cfg, r, "dev\n")
	var asked []string
	p.Ask = func(_ context.Context, function, version, _ string) error {
		asked = append(asked, function)
		if aliases(t, cfg)[function] != before[function] || version == before[function] {
			t.Errorf("version %s of %s is asked while the alias calls %s, want the previous %s", version, function,
				aliases(t, cfg)[function], before[function])
		}
		return nil
	}
	p.Smoke = func(context.Context, []string) error {
		for function, version := range aliases(t, cfg) {
			if version == before[function] {
				t.Errorf("the smoke test of %s calls version %s, the previous one", function, version)
			}
		}
		return broken
	}
	changes, err := p.Run(t.Context())
	if !errors.Is(err, broken) || !errors.Is(err, promotion.ErrRolledBack) {
		t.Errorf("error %v, want %v and %v", err, broken, promotion.ErrRolledBack)
	}
	if len(changes) == 0 {
		t.Error("nothing changed: the smoke test called the previous version")
	}
	if after := aliases(t, cfg); !maps.Equal(before, after) {
		t.Errorf("aliases were %v, are %v", before, after)
	}
	r.wantImage(t, dev.tag) // it already had the image
	if len(asked) != 2 {
		t.Errorf("%v were asked before the aliases moved, want both functions", asked)
	}
	for _, c := range dev.mustPlan(t) {
		t.Errorf("after it, an apply would %s", c)
	}
	p = dev.promotion(cfg, r, "dev\n")
	p.Ask = func(context.Context, string, string, string) error { return broken }
	if _, err := p.Run(t.Context()); !errors.Is(err, broken) || errors.Is(err, promotion.ErrRolledBack) {
		t.Errorf("a version that does not answer: %v", err)
	}
	if after := aliases(t, cfg); !maps.Equal(before, after) {
		t.Errorf("aliases were %v, are %v after a version did not answer", before, after)
	}
}

// checkMapping looks whether the task reads the shop by the mapping file, whose bytes it must find in S3.
func checkMapping(t *testing.T, cfg aws.Config, dev environment, mapping []byte) {
	variables := etlVariables(t, dev)
	location := variables["ETL_MAPPING"]
	bucket, key, ok := strings.Cut(strings.TrimPrefix(location, "s3://"), "/")
	if !ok {
		t.Fatalf("the task has no mapping: %v", variables)
	}
	object, err := awsclient.S3(cfg).GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	if got, err := io.ReadAll(object.Body); err != nil || !bytes.Equal(got, mapping) {
		t.Errorf("the task would read %d bytes (%v), want the file's %d", len(got), err, len(mapping))
	}
}

// checkPreset promotes the preset that dev's variables name by now.
func checkPreset(t *testing.T, cfg aws.Config, dev environment, r *registry) {
	p := dev.promotion(cfg, r, "dev\n")
	p.Smoke = func(context.Context, []string) error { return nil }
	changes, err := p.Run(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Out)
	}
	t.Logf("the preset changes %v", changes)
	got := etlVariables(t, dev)
	if _, kept := got["ETL_MAPPING"]; kept || got["ETL_PRESET"] != "magento2" || got["ETL_STORE"] != "2" ||
		got["ETL_LIVE_VERSION"] != "x" {
		t.Errorf("the task's variables are %v", got)
	}
}

// etlVariables are those of etl's task.
func etlVariables(t *testing.T, e environment) map[string]string {
	t.Helper()
	resources, err := promotion.Resources(e.mustRun(t, "show", "-json"))
	if err != nil {
		t.Fatal(err)
	}
	var containers []struct {
		Environment []struct{ Name, Value string }
	}
	text, _ := resources["module.etl.module.task[0].aws_ecs_task_definition.this"].Values["container_definitions"].(string)
	if err := json.Unmarshal([]byte(text), &containers); err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{}
	for _, v := range containers[0].Environment {
		variables[v.Name] = v.Value
	}
	return variables
}

// aliases returns the version that the alias calls, by function.
func aliases(t *testing.T, cfg aws.Config) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for _, function := range []string{"kindred-dev-recommend", "kindred-dev-serve"} {
		alias, err := lambda.NewFromConfig(cfg).GetAlias(t.Context(),
			&lambda.GetAliasInput{FunctionName: &function, Name: aws.String("live")})
		if err != nil {
			t.Fatal(err)
		}
		versions[function] = *alias.FunctionVersion
	}
	return versions
}
