package integration

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"kindred/internal/platform/artifact"
	"kindred/localstack/provision"
	"kindred/localstack/settings"
)

// programs runs the compiled programs, as a person would, against resources of the test's own.
type programs struct {
	folder string
	env    []string
}

// mustPrograms compiles the named jobs, all of them when none is named.
func mustPrograms(t *testing.T, env map[string]string, names ...string) programs {
	t.Helper()
	if len(names) == 0 {
		names = mustJobs(t)
	}
	p := programs{folder: mustCompile(t, names...), env: os.Environ()}
	for key, value := range env {
		p.env = append(p.env, key+"="+value)
	}
	return p
}

// run runs a program with --json, decodes its result into v and returns its exit code and standard error.
func (p programs) run(t *testing.T, v any, name string, args ...string) (code int, stderr string) {
	t.Helper()
	var stdout, errors_ bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(p.folder, name), append(args, "--json")...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, &stdout, &errors_
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s: %v", name, err)
	}
	if v != nil && stdout.Len() > 0 {
		if err := readResult(stdout.String(), v); err != nil {
			t.Fatalf("result of %s: %v\n%s", name, err, &stdout)
		}
	}
	return cmd.ProcessState.ExitCode(), errors_.String()
}

// mustRun is run for a program that has to succeed.
func (p programs) mustRun(t *testing.T, v any, name string, args ...string) {
	t.Helper()
	if code, stderr := p.run(t, v, name, args...); code != 0 {
		t.Fatalf("%s %s: exit %d\n%s", name, strings.Join(args, " "), code, stderr)
	}
}

// mustPlaces makes buckets, streams, functions and a vector database of the test's own, and returns the
// variables by which programs find them and the shop.
func mustPlaces(t *testing.T, stack Stack, shop string) (own settings.Settings, env map[string]string) {
	t.Helper()
	own, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	own = own.WithSuffix(randomName())
	return own, mustPlacesOf(t, stack, shop, own, nil)
}

// mustPlacesOf is mustPlaces for resources of given names. The variables come on top.
func mustPlacesOf(t *testing.T, stack Stack, shop string, own settings.Settings,
	variables map[string]string) (env map[string]string) {
	t.Helper()
	env = own.Env()
	env["AWS_ENDPOINT_URL"] = *stack.AWS.BaseEndpoint
	env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = "test", "test"
	env["MYSQL_DSN"], env["PGVECTOR_DSN"] = shop, stack.mustVectorDatabase(t)
	maps.Copy(env, variables)
	mustProvision(t, stack, own, env)
	return env
}

// TestRatingsInMySQLBecomeRecommendationsOnS3 is the whole loop on small data: every program, both halves.
func TestRatingsInMySQLBecomeRecommendationsOnS3(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	_, env := mustPlaces(t, stack, stack.mustDatabase(t))
	p := mustPrograms(t, env)

	var seeded struct{ Ratings int }
	p.mustRun(t, &seeded, "seed", "generate", "--scale", "0.2")
	if seeded.Ratings == 0 {
		t.Fatal("seed loaded no rating")
	}
	type extraction struct {
		RunID       string `json:"run_id"`
		ContentHash string `json:"content_hash"`
		NoOp        bool   `json:"no_op"`
		Rows        struct{ Ratings int }
	}
	var extracted extraction
	p.mustRun(t, &extracted, "etl")
	if extracted.Rows.Ratings != seeded.Ratings || extracted.NoOp {
		t.Errorf("extracted %+v of %d ratings", extracted, seeded.Ratings)
	}
	type training struct {
		ModelVersion string `json:"model_version"`
		NoOp         bool   `json:"no_op"`
	}
	var trained training
	p.mustRun(t, &trained, "train")
	var published struct {
		ModelVersion string `json:"model_version"`
		Promoted     bool
	}
	p.mustRun(t, &published, "publish")
	if !published.Promoted || published.ModelVersion != trained.ModelVersion {
		t.Errorf("trained %+v, published %+v", trained, published)
	}

	p.mustAnswerReplay(t, trained.ModelVersion)

	t.Run("a second run changes nothing", func(t *testing.T) {
		var again extraction
		p.mustRun(t, &again, "etl")
		if !again.NoOp || again.RunID != extracted.RunID || again.ContentHash != extracted.ContentHash {
			t.Errorf("first %+v, again %+v", extracted, again)
		}
		var retrained training
		p.mustRun(t, &retrained, "train")
		if !retrained.NoOp || retrained.ModelVersion != trained.ModelVersion {
			t.Errorf("first %+v, again %+v", trained, retrained)
		}
		var republished struct {
			NoOp bool `json:"no_op"`
		}
		p.mustRun(t, &republished, "publish")
		if !republished.NoOp {
			t.Error("publishing the live version again was no no-op")
		}
	})
}

// mustAnswerReplay replays clicks, which the version answers all.
func (p programs) mustAnswerReplay(t *testing.T, version string) {
	t.Helper()
	const events, poison = 300, 6
	p.mustRun(t, nil, "replay", "--events", "300", "--poison", "6", "--rate", "1000")
	var audited struct {
		Recommended, Quarantined, Lost int
		Events                         int
		DistinctEvents                 int `json:"distinct_events"`
		Versions                       map[string]int
	}
	p.mustRun(t, &audited, "verify", "--wait", catchUp.String())
	badCopies := audited.Quarantined - poison // a producer's retry may put a record twice
	if audited.DistinctEvents != events+poison+badCopies || badCopies < 0 || badCopies > audited.Events-events-poison ||
		audited.Recommended+audited.Quarantined != audited.Events || audited.Lost != 0 {
		t.Errorf("%d events and %d poison records were sent; the audit says %+v", events, poison, audited)
	}
	if len(audited.Versions) != 1 || audited.Versions[version] < events {
		t.Errorf("answers came from %v, want all from %s", audited.Versions, version)
	}
}

// functionZip builds the function for the stack's LocalStack once.
var functionZip = sync.OnceValues(func() ([]byte, error) {
	return artifact.BuildFunction(context.Background(), "..", "recommend", shared.stack.FunctionOS)
})

// mustProvision creates the resources that own names, with the real recommend function, and removes
// them at the end.
func mustProvision(t *testing.T, stack Stack, own settings.Settings, env map[string]string) {
	t.Helper()
	zip, err := functionZip()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := cleanupContext()
		defer stop()
		if err := provision.Destroy(ctx, stack.AWS, own); err != nil {
			t.Errorf("remove the test's resources: %v", err)
		}
	})
	if _, err := provision.Apply(t.Context(), stack.AWS, own, provision.Function{Zip: zip, Env: env}); err != nil {
		t.Fatal(err)
	}
}
