package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"kindred/internal/platform/artifact"
	"kindred/localstack/provision"
	"kindred/localstack/settings"
)

// landed stands for the last release as long as no commit before this one has a release's tag.
const landed = "d47d2ac064de447c9b9b5e50e9b375a7bd52bbc3"

// mustLastRelease returns the sources of the last release before this commit, in a new folder.
func mustLastRelease(t *testing.T) (sources string) {
	t.Helper()
	at := landed
	if tag, err := exec.CommandContext(t.Context(), "git", "describe", "--tags", "--abbrev=0", "--match", "v*",
		"HEAD^").Output(); err == nil { // fails without a tag
		at = strings.TrimSpace(string(tag))
	}
	t.Logf("the last release is %s", at)
	packed, err := exec.CommandContext(t.Context(), "git", "-C", "..", "archive", "--format=tar", at).Output()
	if err != nil {
		t.Fatalf("the sources of the last release, %s: %v; `git fetch --unshallow --tags` brings them", at, err)
	}
	sources = t.TempDir()
	unpack := exec.CommandContext(t.Context(), "tar", "-x", "-f", "-", "-C", sources)
	unpack.Stdin = bytes.NewReader(packed)
	if said, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("unpack the sources of %s: %v\n%s", at, err, said)
	}
	return sources
}

// mustOldPrograms compiles jobs of other sources.
func mustOldPrograms(t *testing.T, sources string, env []string, names ...string) programs {
	t.Helper()
	folder := t.TempDir()
	args := []string{"build", "-buildvcs=false", "-o", folder + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "./jobs/"+name)
	}
	build := exec.CommandContext(t.Context(), "go", args...)
	build.Dir = sources
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the last release: %v\n%s", err, said)
	}
	return programs{folder: folder, env: env}
}

// TestTheStateOfTheLastReleaseIsRead lets the programs of the last release fill every place, and then those of
// this commit take over in the order of an upgrade: the batch programs read what is there, the functions answer
// from a database that is not migrated yet, publish migrates it, and the version of the last release can be
// made live again.
func TestTheStateOfTheLastReleaseIsRead(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	sources := mustLastRelease(t)
	own, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	own = own.WithSuffix(randomName())
	goos := stack.FunctionOS
	if goos == "" {
		goos = runtime.GOOS
	}
	oldFunction, err := artifact.BuildFunction(t.Context(), sources, "recommend", goos)
	if err != nil {
		t.Fatal(err)
	}
	env := mustPlacesOf(t, stack, stack.mustDatabase(t), own,
		map[string]string{"ERASE_SECRET": "a secret of the tests"})
	apply := func(zip []byte) {
		t.Helper()
		if _, err := provision.Apply(t.Context(), stack.AWS, own, provision.Function{Zip: zip, Env: env}); err != nil {
			t.Fatal(err)
		}
	}
	apply(oldFunction)
	today := mustPrograms(t, env, "seed", "etl", "train", "publish", "replay", "verify", "rollup", "console", "infer",
		"erase")
	old := mustOldPrograms(t, sources, today.env, "seed", "etl", "train", "publish", "replay", "verify", "rollup")

	var before struct {
		ModelVersion string `json:"model_version"`
	}
	start := time.Now()
	old.mustRun(t, nil, "seed", "generate", "--scale", "0.2")
	old.mustRun(t, nil, "etl")
	old.mustRun(t, &before, "train")
	old.mustRun(t, nil, "publish")
	old.mustAnswer(t, before.ModelVersion)
	old.mustRun(t, nil, "rollup")

	today.mustAudit(t, start, before.ModelVersion) // what the old function wrote
	today.mustRun(t, nil, "rollup")
	today.mustRun(t, nil, "rollup", "show")
	today.mustRun(t, nil, "train") // of the old training set
	today.mustRun(t, nil, "publish", "list")
	zip, err := functionZip()
	if err != nil {
		t.Fatal(err)
	}
	apply(zip)
	today.mustAnswer(t, before.ModelVersion) // the database is not migrated

	var after struct {
		ModelVersion string `json:"model_version"`
	}
	today.mustRun(t, nil, "seed", "generate", "--scale", "0.25") // a larger shop, so that another version is made
	today.mustRun(t, nil, "etl", "--accept-schema", "--accept-shrink")
	today.mustRun(t, &after, "train")
	today.mustRun(t, nil, "publish", "--force", "--reason", "an upgrade", after.ModelVersion)
	today.mustAnswer(t, after.ModelVersion)
	today.mustRun(t, nil, "publish", "rollback")
	if after.ModelVersion == before.ModelVersion {
		t.Errorf("both releases made %s", after.ModelVersion)
	}
	today.mustAnswer(t, before.ModelVersion, "--max-unknown", "1") // it does not know the larger shop's products
	report := filepath.Join(t.TempDir(), "report.html")
	today.mustRun(t, nil, "console", "report", "--out", report)
	if page, err := os.ReadFile(report); err != nil || !strings.Contains(string(page), before.ModelVersion) {
		t.Errorf("the report does not name %s: %v", before.ModelVersion, err)
	}
	today.mustRun(t, nil, "infer")
	today.mustRun(t, nil, "erase", "103")
}

// mustAnswer replays clicks, which the version answers all. The flags are those of verify.
func (p programs) mustAnswer(t *testing.T, version string, flags ...string) {
	t.Helper()
	since := time.Now()
	p.mustRun(t, nil, "replay", "--events", "100", "--poison", "0", "--rate", "1000")
	p.mustAudit(t, since, version, flags...)
}

// mustAudit checks that every event since then, at least 100, was answered, and by the version.
func (p programs) mustAudit(t *testing.T, since time.Time, version string, flags ...string) {
	t.Helper()
	var audited struct {
		DistinctEvents int `json:"distinct_events"`
		Lost           int
		Versions       map[string]int
	}
	p.mustRun(t, &audited, "verify", append(flags, "--since", since.UTC().Format(time.RFC3339Nano), "--wait",
		catchUp.String())...)
	if audited.Lost != 0 || audited.DistinctEvents < 100 || len(audited.Versions) != 1 ||
		audited.Versions[version] < audited.DistinctEvents {
		t.Errorf("the audit says %+v, want all answers from %s", audited, version)
	}
}
