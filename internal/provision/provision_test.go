package provision

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"kindred/localstack/settings"
)

func TestCheckEndpoint(t *testing.T) {
	t.Parallel()
	for endpoint, ok := range map[string]bool{
		"http://127.0.0.1:4566": true, "http://localstack:4566": true,
		"": false, "127.0.0.1:4566": false, "https://kinesis.eu-west-1.amazonaws.com": false, "https://s3.cn-north-1.amazonaws.com.cn": false,
	} {
		if err := checkEndpoint(endpoint); ok != (err == nil) || err != nil && !errors.Is(err, ErrWrongTarget) {
			t.Errorf("checkEndpoint(%q) = %v", endpoint, err)
		}
	}
}

func TestFunctionEnvOfTheCallerWins(t *testing.T) {
	t.Parallel()
	s, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	got := functionEnv(aws.Config{BaseEndpoint: aws.String("http://host:1")}, s,
		map[string]string{"AWS_ENDPOINT_URL": "http://container:2", "PGVECTOR_DSN": "postgres://x"})
	want := map[string]string{"AWS_ENDPOINT_URL": "http://container:2", "PGVECTOR_DSN": "postgres://x",
		"RECOMMENDATIONS_DELIVERY_STREAM": "kindred-recommendations", "RECOMMENDATIONS_BUCKET": "kindred-recommendations"}
	if !maps.Equal(got, want) {
		t.Errorf("environment = %v, want %v", got, want)
	}
}

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

// A function starts sooner the smaller it is. What breaks this is most often an import: `go tool nm -size -sort size` on a build without -s says
// which package is large, `go list -deps` who brings it. The SDK's configuration and S3 client, and goose, are why there are the packages
// awsenv, s3put and migration.
func TestFunctionsAreSmall(t *testing.T) {
	t.Parallel()
	const limit = 4_000_000 // bytes
	for _, name := range []string{"recommend", "serve"} {
		program, err := Compile(t.Context(), "../..", "./lambdas/"+name, "linux", "arm64") // as it is deployed
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

func TestBuildFunctionSaysWhatTheCompilerSaid(t *testing.T) {
	t.Parallel()
	_, err := BuildFunction(t.Context(), t.TempDir(), "nothing")
	if err == nil || !strings.Contains(err.Error(), "build ./lambdas/nothing") || !strings.Contains(err.Error(), "go.mod") {
		t.Errorf("error = %v", err)
	}
}

func TestPoliciesAreNarrow(t *testing.T) {
	t.Parallel()
	s, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []role{functionRoleOf(s), serveRoleOf(s), deliveryRoleOf(s)} {
		for _, st := range r.statements {
			for _, action := range st.Action {
				if strings.Contains(action, "*") {
					t.Errorf("role %s, %s: action %s", r.name, st.Sid, action)
				}
			}
			for _, resource := range st.Resource {
				if !strings.Contains(resource, "kindred-") {
					t.Errorf("role %s, %s: resource %s is not ours", r.name, st.Sid, resource)
				}
			}
		}
	}
}

func TestSameDocument(t *testing.T) {
	t.Parallel()
	ours, err := document(allow("Read", []string{"s3:GetObject"}, []string{"arn:aws:s3:::b/*"}))
	if err != nil {
		t.Fatal(err)
	}
	if !sameDocument(ours, ours) || !sameDocument(url.PathEscape(ours), ours) {
		t.Error("equal documents differ")
	}
	terraform := `{"Version":"2012-10-17","Statement":{"Action":"s3:GetObject","Sid":"Read","Effect":"Allow","Resource":"arn:aws:s3:::b/*"}}`
	if !sameDocument(terraform, ours) {
		t.Error("a list of one differs from its element")
	}
	two, err := document(allow("Read", []string{"s3:PutObject", "s3:GetObject"}, nil), allow("Other", nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if ordered := strings.Replace(two, `"s3:PutObject","s3:GetObject"`, `"s3:GetObject","s3:PutObject"`, 1); ordered == two || !sameDocument(ordered, two) {
		t.Error("the order of actions counts")
	}
	other := strings.Replace(ours, "GetObject", "PutObject", 1)
	if sameDocument(other, ours) || sameDocument("", ours) {
		t.Error("other documents are equal")
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	calls := 0
	err := settle(t.Context(), "it is ready", func(context.Context) (bool, string, error) { calls++; return calls == 3, "not yet", nil })
	if err != nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
	broken := errors.New("broken")
	err = settle(t.Context(), "it is ready", func(context.Context) (bool, string, error) { return false, "", broken })
	if !errors.Is(err, broken) {
		t.Errorf("error = %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	err = settle(ctx, "it is ready", func(context.Context) (bool, string, error) { stop(); return false, "Pending", nil })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "it is ready (last seen: Pending)") {
		t.Errorf("error = %v", err)
	}
}
