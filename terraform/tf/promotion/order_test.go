package promotion

import (
	"context"
	"encoding/json"
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
	fails   string              // this step
	pending []string            // subscribers who have not confirmed
	secret  string              // of the erased persons
	aliases map[string]string   // version by function
	shares  map[string]string   // version that has a share of the calls, by function; or ""
	raised  map[string][]string // alarms, by the step after which they are raised
}

// newDouble is an environment whose aliases call these versions.
func newDouble(fails string, aliases map[string]string) *double {
	return &double{fails: fails, aliases: aliases, shares: map[string]string{}}
}

// alarms are those that are raised by now.
func (d *double) alarms(context.Context, []string) (names []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, step := range append([]string{""}, d.steps...) {
		names = append(names, d.raised[step]...)
	}
	return names, nil
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
	if r.FormValue("Action") == "ListSubscriptionsByTopic" {
		d.serveSubscriptions(w)
		return
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	answers := map[string]string{"GetAuthorizationToken": `{"authorizationData": [{"authorizationToken": "QVdTOnNlY3JldA=="}]}`,
		"RunTask":       `{"tasks": [{"taskArn": "task"}]}`,
		"DescribeTasks": `{"tasks": [{"lastStatus": "STOPPED", "containers": [{"name": "publish", "exitCode": 0}]}]}`}
	if function, isAlias := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/2015-03-31/functions/"),
		"/aliases/live"); isAlias {
		if r.Method == http.MethodPut {
			var asked struct {
				FunctionVersion string
				RoutingConfig   struct{ AdditionalVersionWeights map[string]float64 }
			}
			body, _ := io.ReadAll(r.Body)
			// Without weights, Lambda would keep those that there are.
			if json.Unmarshal(body, &asked) != nil || asked.RoutingConfig.AdditionalVersionWeights == nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			step, shared := "alias "+function+" "+asked.FunctionVersion, ""
			for version := range asked.RoutingConfig.AdditionalVersionWeights {
				step, shared = "share "+function+" "+version, version
			}
			if !d.did(step) {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			d.mu.Lock()
			d.aliases[function], d.shares[function] = asked.FunctionVersion, shared
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
	if strings.Contains(operation, "Secret") {
		d.serveSecret(w, r, operation)
		return
	}
	_, _ = io.WriteString(w, answers[operation])
}

// serveSubscriptions answers as SNS: a@shop has confirmed.
func (d *double) serveSubscriptions(w http.ResponseWriter) {
	member := "<member><Endpoint>%s</Endpoint><SubscriptionArn>%s</SubscriptionArn></member>"
	members := fmt.Sprintf(member, "a@shop", "arn:aws:sns:eu-west-1:1:alarms:a")
	for _, mail := range d.pending {
		members += fmt.Sprintf(member, mail, "PendingConfirmation")
	}
	_, _ = io.WriteString(w, "<ListSubscriptionsByTopicResponse><ListSubscriptionsByTopicResult><Subscriptions>"+members+
		"</Subscriptions></ListSubscriptionsByTopicResult></ListSubscriptionsByTopicResponse>")
}

// serveSecret answers as Secrets Manager, about a secret that has no value at first.
func (d *double) serveSecret(w http.ResponseWriter, r *http.Request, operation string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if operation == "PutSecretValue" {
		var put struct{ SecretID, SecretString string }
		body, _ := io.ReadAll(r.Body)
		if json.Unmarshal(body, &put) != nil || put.SecretID != "secret:erase" || d.secret != "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		d.secret = put.SecretString
	}
	stages := map[string][]string{}
	if d.secret != "" {
		stages["one"] = []string{"AWSCURRENT"}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"VersionIdsToStages": stages})
}

// terraform stands for the program: it has a plan with one change, and the outputs of an environment
// whose newest versions are 2.
const terraform = `#!/bin/sh
case "$1 $3" in
show*) echo '{"resource_changes": [{"address": "a", "change": {"actions": ["update"]}}]}' ;;
output*) cat <<JSON
{"functions": {"value": {"recommend": {"name": "recommend", "version": "2"}, "serve": {"name": "serve",
	"version": "2"}, "alias": "live"}},
 "alarms": {"value": ["serve-errors"]}, "erase_secret": {"value": "secret:erase"},
 "reach": {"value": {"topic": "alarms", "alarm": "model-refused"}},
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
		Alert:  func(_ context.Context, alarm string) error { return d.step("alert " + alarm) },
		Mails:  []string{"a@shop", "b@shop"},
		Raised: d.alarms, Watch: 3 * time.Millisecond,
		Smoke: func(context.Context, []string) error { return d.step("smoke") },
		Probe: time.Millisecond, In: strings.NewReader("dev\n"), Out: io.Discard}
}

// TestAliasMovesAfterSchemaAndAnswer promotes with a failure at every step. Live traffic must meet the new
// code only after the schema was migrated and both new versions have answered, and must be back at the
// old code if the smoke test fails.
func TestAliasMovesAfterSchemaAndAnswer(t *testing.T) {
	t.Parallel()
	for _, fails := range []string{"", "migrate", "ask recommend 2", "ask serve 2", "share serve 2", "alias serve 2",
		"smoke"} {
		t.Run(fails, func(t *testing.T) {
			t.Parallel()
			d := newDouble(fails, map[string]string{"recommend": "1", "serve": "1"})
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
			if d.shares["recommend"]+d.shares["serve"] != "" {
				t.Errorf("two versions are called: %v", d.shares)
			}
			late := fails == "" || fails == "smoke" || strings.HasPrefix(fails, "share") || strings.HasPrefix(fails, "alias")
			moved := slices.IndexFunc(d.steps, func(step string) bool { return strings.HasPrefix(step, "share ") })
			if late != (moved >= 0) {
				t.Errorf("moved: %t, after %v", moved >= 0, d.steps)
			}
			whole := slices.IndexFunc(d.steps, func(step string) bool { return strings.HasPrefix(step, "alias ") })
			recommend, serve := slices.Index(d.steps, "share recommend 2"), slices.Index(d.steps, "share serve 2")
			if fails == "" && (recommend > whole || serve > whole) {
				t.Errorf("all calls meet a version before a share of them did: %v", d.steps)
			}
			for _, first := range []string{"migrate", "ask recommend 2", "ask serve 2"} {
				if at := slices.Index(d.steps, first); moved >= 0 && (at < 0 || at > moved) {
					t.Errorf("the alias moved before %q: %v", first, d.steps)
				}
			}
			if back := late && fails != ""; back != errors.Is(err, ErrRolledBack) {
				t.Errorf("rolled back: %v", err)
			}
		})
	}
}

// TestAlarmTakesAReleaseBack raises an alarm while a share of the calls meets the new versions. One that was
// raised before says nothing about them.
func TestAlarmTakesAReleaseBack(t *testing.T) {
	t.Parallel()
	for step, back := range map[string]bool{"share serve 2": true, "": false} {
		d := newDouble("", map[string]string{"recommend": "1", "serve": "1"})
		d.raised = map[string][]string{step: {"serve-errors"}}
		_, err := d.mustPromotion(t).Run(t.Context())
		if errors.Is(err, ErrAlarm) != back || errors.Is(err, ErrRolledBack) != back {
			t.Errorf("raised after %q: %v", step, err)
		}
		want := map[bool]string{true: "1", false: "2"}[back]
		if d.aliases["recommend"] != want || d.aliases["serve"] != want || d.shares["recommend"]+d.shares["serve"] != "" {
			t.Errorf("raised after %q: the aliases call %v, shares %v", step, d.aliases, d.shares)
		}
		if back && slices.Contains(d.steps, "alias serve 2") {
			t.Errorf("all calls met the version: %v", d.steps)
		}
	}
}

// TestAlarmsReachAPerson refuses a promotion while somebody who should get alarms has not confirmed, and at the end
// tests the way.
func TestAlarmsReachAPerson(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pending []string
		fails   string
		refused bool
		want    error
	}{
		"confirmed":            {},
		"pending":              {[]string{"b@shop"}, "", true, ErrUnconfirmed},
		"of the variables not": {[]string{"former@shop"}, "", false, nil},
		"not sent":             {nil, "alert model-refused", false, errBroken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(test.fails, map[string]string{"recommend": "1", "serve": "1"})
			d.pending = test.pending
			_, err := d.mustPromotion(t).Run(t.Context())
			if !errors.Is(err, test.want) || errors.Is(err, ErrRolledBack) {
				t.Error(err)
			}
			if refused := len(d.steps) == 0; refused != test.refused {
				t.Errorf("refused: %t, after %v", refused, d.steps)
			}
			if last := len(d.steps) - 1; !test.refused && (d.steps[last] != "alert model-refused" ||
				d.aliases["serve"] != "2") {
				t.Errorf("%v, the aliases call %v", d.steps, d.aliases)
			}
		})
	}
}

// TestPromotionContinues runs a promotion again that broke off before the aliases moved.
func TestPromotionContinues(t *testing.T) {
	t.Parallel()
	for _, shared := range []string{"", "2"} { // 2: the one before was killed while the alarms were watched
		d := newDouble("migrate", map[string]string{"recommend": "1", "serve": "1"})
		d.shares["serve"] = shared
		if _, err := d.mustPromotion(t).Run(t.Context()); err == nil {
			t.Fatal("it did not break off")
		}
		d.fails = ""
		if _, err := d.mustPromotion(t).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d.aliases["recommend"] != "2" || d.aliases["serve"] != "2" || d.shares["serve"] != "" {
			t.Errorf("the aliases call %v, shares %v", d.aliases, d.shares)
		}
	}
}

// TestFirstPromotionOfAnEmptyShopEndsWell has nothing to train on: it makes everything, and asks nothing.
func TestFirstPromotionOfAnEmptyShopEndsWell(t *testing.T) {
	t.Parallel()
	d := newDouble("", map[string]string{})
	p := d.mustPromotion(t)
	p.EmptyShop = emptyShop([]byte(`{"environment": "dev"}`))
	if _, err := p.Run(t.Context()); err != nil || !slices.Equal(d.steps, []string{"migrate"}) {
		t.Errorf("%v: %v", d.steps, err)
	}
	secret := d.secret
	if len(secret) < 32 {
		t.Errorf("the secret of the erased persons has %d characters", len(secret))
	}
	d.aliases = map[string]string{"recommend": "1", "serve": "1"}
	p.In, d.steps = strings.NewReader("dev\n"), nil
	if _, err := p.Run(t.Context()); err != nil || !slices.Contains(d.steps, "smoke") {
		t.Errorf("the next one: %v: %v", d.steps, err)
	}
	if d.secret != secret {
		t.Error("the next one gave the secret another value: nobody could read the list any more")
	}
	if emptyShop([]byte(`{"existing_source_database": {"host": "h"}}`)) {
		t.Error("an existing shop counts as empty")
	}
}
