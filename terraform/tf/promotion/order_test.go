package promotion

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	memory "github.com/google/go-containerregistry/pkg/registry"
)

// double stands for Terraform and AWS: it writes down what a promotion does, and fails at one step.
type double struct {
	mu      sync.Mutex
	steps   []string
	fails   string            // this step
	aliases map[string]string // version by function
}

// did notes a step, and reports whether it works.
func (d *double) did(step string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.steps = append(d.steps, step)
	return step != d.fails
}

var errBroken = errors.New("broken")

func (d *double) step(step string) error {
	if !d.did(step) {
		return errBroken
	}
	return nil
}

// ServeHTTP answers as ECR, ECS and Lambda.
func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	answers := map[string]string{"GetAuthorizationToken": `{"authorizationData": [{"authorizationToken": "QVdTOnNlY3JldA=="}]}`,
		"RunTask":       `{"tasks": [{"taskArn": "task"}]}`,
		"DescribeTasks": `{"tasks": [{"lastStatus": "STOPPED", "containers": [{"name": "publish", "exitCode": 0}]}]}`}
	if function, isAlias := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/2015-03-31/functions/"),
		"/aliases/live"); isAlias {
		if r.Method == http.MethodPut {
			body, _ := io.ReadAll(r.Body)
			version := strings.Split(strings.SplitAfter(string(body), `"FunctionVersion":"`)[1], `"`)[0]
			if !d.did("alias " + function + " " + version) {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			d.mu.Lock()
			d.aliases[function] = version
			d.mu.Unlock()
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.aliases[function] == "" {
			w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException")
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = fmt.Fprintf(w, `{"FunctionVersion": %q}`, d.aliases[function])
		return
	}
	if operation == "RunTask" && !d.did("migrate") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, answers[operation])
}

// terraform stands for the program: it has a plan with one change, and the outputs of an environment
// whose newest versions are 2.
const terraform = `#!/bin/sh
case "$1 $3" in
show*) echo '{"resource_changes": [{"address": "a", "change": {"actions": ["update"]}}]}' ;;
output*) cat <<JSON
{"functions": {"value": {"recommend": {"name": "recommend", "version": "2"}, "serve": {"name": "serve",
	"version": "2"}, "alias": "live"}},
 "batch": {"value": {"repository_url": "REGISTRY/batch", "tasks": {"publish": "definition:1"}, "subnet_ids": ["s"]}}}
JSON
;;
esac
`

// mustPromotion returns a promotion that the double carries out.
func (d *double) mustPromotion(t *testing.T) *Promotion {
	t.Helper()
	images := httptest.NewServer(memory.New(memory.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(images.Close)
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	script := filepath.Join(t.TempDir(), "terraform")
	text := strings.ReplaceAll(terraform, "REGISTRY", strings.TrimPrefix(images.URL, "http://"))
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return &Promotion{Root: &Root{Dir: t.TempDir(), Program: script}, Environment: "dev", Packages: mustImage(t),
		Tag: "one",
		AWS: aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")},
		Ask: func(_ context.Context, function, version, _ string) error {
			return d.step("ask " + function + " " + version)
		},
		Smoke: func(context.Context, []string) error { return d.step("smoke") },
		Probe: time.Millisecond, In: strings.NewReader("dev\n"), Out: io.Discard}
}

// TestAliasMovesAfterSchemaAndAnswer promotes with a failure at every step. Live traffic must meet the new
// code only after the schema was migrated and both new versions have answered, and must be back at the
// old code if the smoke test fails.
func TestAliasMovesAfterSchemaAndAnswer(t *testing.T) {
	t.Parallel()
	for _, fails := range []string{"", "migrate", "ask recommend 2", "ask serve 2", "alias serve 2", "smoke"} {
		t.Run(fails, func(t *testing.T) {
			t.Parallel()
			d := &double{fails: fails, aliases: map[string]string{"recommend": "1", "serve": "1"}}
			_, err := d.mustPromotion(t).Run(t.Context())
			if (err != nil) != (fails != "") {
				t.Fatalf("after %v: %v", d.steps, err)
			}
			want := "1"
			if fails == "" {
				want = "2"
			}
			if d.aliases["recommend"] != want || d.aliases["serve"] != want {
				t.Errorf("the aliases call %v, want %s, after %v", d.aliases, want, d.steps)
			}
			moved := slices.IndexFunc(d.steps, func(step string) bool { return strings.HasPrefix(step, "alias ") })
			if late := fails == "" || fails == "smoke" || strings.HasPrefix(fails, "alias"); late != (moved >= 0) {
				t.Errorf("moved: %t, after %v", moved >= 0, d.steps)
			}
			for _, first := range []string{"migrate", "ask recommend 2", "ask serve 2"} {
				if at := slices.Index(d.steps, first); moved >= 0 && (at < 0 || at > moved) {
					t.Errorf("the alias moved before %q: %v", first, d.steps)
				}
			}
			if rolledBack := fails == "smoke" || strings.HasPrefix(fails, "alias"); rolledBack != errors.Is(err, ErrRolledBack) {
				t.Errorf("rolled back: %v", err)
			}
		})
	}
}

// TestPromotionContinues runs a promotion again that broke off before the aliases moved.
func TestPromotionContinues(t *testing.T) {
	t.Parallel()
	d := &double{fails: "migrate", aliases: map[string]string{"recommend": "1", "serve": "1"}}
	if _, err := d.mustPromotion(t).Run(t.Context()); err == nil {
		t.Fatal("it did not break off")
	}
	d.fails = ""
	if _, err := d.mustPromotion(t).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d.aliases["recommend"] != "2" || d.aliases["serve"] != "2" {
		t.Errorf("the aliases call %v", d.aliases)
	}
}

// TestFirstPromotionOfAnEmptyShopEndsWell has nothing to train on: it makes everything, and asks nothing.
func TestFirstPromotionOfAnEmptyShopEndsWell(t *testing.T) {
	t.Parallel()
	d := &double{aliases: map[string]string{}}
	p := d.mustPromotion(t)
	p.EmptyShop = emptyShop([]byte(`{"environment": "dev"}`))
	if _, err := p.Run(t.Context()); err != nil || !slices.Equal(d.steps, []string{"migrate"}) {
		t.Errorf("%v: %v", d.steps, err)
	}
	d.aliases = map[string]string{"recommend": "1", "serve": "1"}
	p.In, d.steps = strings.NewReader("dev\n"), nil
	if _, err := p.Run(t.Context()); err != nil || !slices.Contains(d.steps, "smoke") {
		t.Errorf("the next one: %v: %v", d.steps, err)
	}
	if emptyShop([]byte(`{"existing_source_database": {"host": "h"}}`)) {
		t.Error("an existing shop counts as empty")
	}
}
