package provision

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"kindred/localstack/settings"
)

func TestCheckEndpoint(t *testing.T) {
	t.Parallel()
	for endpoint, ok := range map[string]bool{
		"http://127.0.0.1:4566": true, "http://localstack:4566": true,
		"": false, "127.0.0.1:4566": false, "https://kinesis.eu-west-1.amazonaws.com": false,
		"https://s3.cn-north-1.amazonaws.com.cn": false,
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
		"ARTIFACTS_BUCKET": "kindred-artifacts", "MEMORY_SHARE": "0.5",
		"RECOMMENDATIONS_DELIVERY_STREAM": "kindred-recommendations", "RECOMMENDATIONS_BUCKET": "kindred-recommendations"}
	if !maps.Equal(got, want) {
		t.Errorf("environment = %v, want %v", got, want)
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
	if ordered := strings.Replace(two, `"s3:PutObject","s3:GetObject"`, `"s3:GetObject","s3:PutObject"`,
		1); ordered == two || !sameDocument(ordered, two) {
		t.Error("the order of actions counts")
	}
	other := strings.Replace(ours, "GetObject", "PutObject", 1)
	if sameDocument(other, ours) || sameDocument("", ours) {
		t.Error("other documents are equal")
	}
}

// TestBucketExpiryIsSetOnce: also where there is another rule. A bucket that has none in the settings is left
// alone.
func TestBucketExpiryIsSetOnce(t *testing.T) {
	t.Parallel()
	s, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	const other = `<LifecycleConfiguration><Rule><ID>x</ID><Filter><Prefix>model/</Prefix></Filter><Status>Enabled</Status>` +
		`<Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>`
	for _, kept := range []string{"", other} {
		puts := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch body, _ := io.ReadAll(r.Body); {
			case !r.URL.Query().Has("lifecycle"):
				w.WriteHeader(http.StatusBadRequest)
			case r.Method == http.MethodPut:
				puts++
				kept = string(body)
			case kept == "":
				w.WriteHeader(http.StatusNotFound)
				_, _ = io.WriteString(w, `<Error><Code>NoSuchLifecycleConfiguration</Code></Error>`)
			default:
				_, _ = io.WriteString(w, kept)
			}
		}))
		t.Cleanup(server.Close)
		p := &provisioner{s3: s3.New(s3.Options{Region: "eu-west-1", BaseEndpoint: aws.String(server.URL), UsePathStyle: true,
			Credentials: aws.AnonymousCredentials{}, HTTPClient: server.Client()})}
		for range 2 {
			if err := p.bucketExpiry(t.Context(), s.Buckets.Artifacts); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.bucketExpiry(t.Context(), s.Buckets.Lake); err != nil {
			t.Fatal(err)
		}
		if puts != 1 || len(p.changes) != 1 || !strings.Contains(kept, "<Prefix>fits/run=</Prefix>") ||
			!strings.Contains(kept, "<Days>28</Days>") {
			t.Errorf("%d rules were set, %v, the last %s", puts, p.changes, kept)
		}
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	calls := 0
	err := settle(t.Context(), "it is ready",
		func(context.Context) (bool, string, error) { calls++; return calls == 3, "not yet", nil })
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
