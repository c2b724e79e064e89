package artifact

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestPack(t *testing.T) {
	t.Parallel()
	beside := map[string][]byte{"b.pem": []byte("second"), "a.pem": []byte("first")}
	first, err := Pack([]byte("program"), beside)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Pack([]byte("program"), beside); err != nil || !bytes.Equal(first, again) {
		t.Errorf("the same program gives another zip (%v)", err)
	}
	r, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
	if err != nil || len(r.File) != 3 {
		t.Fatalf("zip of %d files, %v", len(r.File), err)
	}
	for i, want := range []struct {
		name, data string
		mode       fs.FileMode
	}{{"bootstrap", "program", 0o755}, {"a.pem", "first", 0o644}, {"b.pem", "second", 0o644}} {
		f := r.File[i]
		if f.Name != want.name || f.Mode().Perm() != want.mode || !f.Modified.Equal(zipTime) {
			t.Errorf("entry = %s %v %v", f.Name, f.Mode(), f.Modified)
		}
		body, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(body); err != nil || string(data) != want.data {
			t.Errorf("content = %q, %v", data, err)
		}
	}
}

// A function starts sooner the smaller it is. What breaks this is most often an import: `go tool nm
// -size -sort size` on a build without -s says which package is large, `go list -deps` who brings
// it. The SDK's configuration and S3 client, and goose, are why there are the packages awsenv,
// s3object and migration. The library of Parquet takes 1.6 MB and starts in 0.2 ms
// (docs/decisions/0053). CEL's parser takes 0.5 MB and starts in 0.3 ms (docs/decisions/0070).
func TestFunctionsAreSmall(t *testing.T) {
	t.Parallel()
	const limit = 6_300_000 // bytes
	for _, name := range []string{"recommend", "serve"} {
		program, err := Compile(t.Context(), "../../..", "./lambdas/"+name, "linux", "arm64") // as it is deployed
		if err != nil {
			t.Fatal(err)
		}
		zip, err := Pack(program, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes, %d zipped", name, len(program), len(zip))
		if len(zip) > limit {
			t.Errorf("%s.zip has %d bytes, the limit is %d", name, len(zip), limit)
		}
	}
}

// Code that only the tags of this repository build is vetted with them, its tests too. The other tags
// choose among files of libraries, and would compile all of them again.
func TestVetKnowsTheTags(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../../.ci/development.mk")
	if err != nil {
		t.Fatal(err)
	}
	ours := []string{"shipped", "onlambda"}
	for _, tag := range ours {
		if !slices.Contains(strings.Split(functionTags, ","), tag) {
			t.Errorf("what is deployed is built without the tag %s", tag)
		}
	}
	if want := "go vet -tags " + strings.Join(ours, ",") + " ./jobs/... ./lambdas/...\n"; !strings.Contains(
		string(makefile), want) {
		t.Errorf(".ci/development.mk lacks %q", want)
	}
}

// TestTheFunctionsLinkNoMoreThanTheyNeed: what only the local program needs would make each cold start slower. The
// tag traces asks for OpenTelemetry.
func TestTheFunctionsLinkNoMoreThanTheyNeed(t *testing.T) {
	t.Parallel()
	links := func(more string) string {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", functionTags+more, "./lambdas/serve",
			"./lambdas/recommend")
		list.Dir = "../../.."
		out, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	usual := links("")
	for _, local := range []string{"go.opentelemetry.io/", "github.com/prometheus/", "github.com/alecthomas/kong"} {
		if strings.Contains(usual, "\n"+local) {
			t.Errorf("a function links %s", local)
		}
	}
	if !strings.Contains(links(",traces"), "\ngo.opentelemetry.io/otel/sdk/trace\n") {
		t.Error("the tag traces brings no traces")
	}
}

func TestBuildFunctionSaysWhatTheCompilerSaid(t *testing.T) {
	t.Parallel()
	_, err := BuildFunction(t.Context(), t.TempDir(), "nothing", runtime.GOOS)
	if err == nil || !strings.Contains(err.Error(), "build ./lambdas/nothing") ||
		!strings.Contains(err.Error(), "go.mod") {
		t.Errorf("error = %v", err)
	}
}
