package s3object

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kindred/internal/platform/awsenv"
)

func mustBucket(t *testing.T, endpoint, region, location string) *Bucket {
	t.Helper()
	env, err := awsenv.Load(func(name string) string {
		return map[string]string{"AWS_REGION": region, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
			"AWS_SESSION_TOKEN": "token",
			"AWS_ENDPOINT_URL":  endpoint}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(env, location)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ endpoint, region, location, want string }{
		{"http://127.0.0.1:4566", "eu-west-1", "b", "http://127.0.0.1:4566/b/"},
		{"http://127.0.0.1:4566/", "eu-west-1", "s3://b/some/where/", "http://127.0.0.1:4566/b/some/where/"},
		{"", "eu-west-1", "b", "https://b.s3.eu-west-1.amazonaws.com/"},
		{"", "eu-west-1", "s3://b/p", "https://b.s3.eu-west-1.amazonaws.com/p/"},
		{"", "cn-north-1", "b", "https://b.s3.cn-north-1.amazonaws.com.cn/"},
		{"", "eu-west-1", "with.dots", "https://s3.eu-west-1.amazonaws.com/with.dots/"},
	} {
		if got := mustBucket(t, test.endpoint, test.region, test.location).base.String(); got != test.want {
			t.Errorf("%s of %q: %s, want %s", test.location, test.endpoint, got, test.want)
		}
	}
	for _, location := range []string{"", "s3://", "file:///folder", "b?x", "s3://b/p#x", "http://b"} {
		if _, err := New(awsenv.Environment{}, location); err == nil {
			t.Errorf("%q was taken", location)
		}
	}
}

func TestPutNew(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		statuses []int
		fault    string // in the error; "": none
	}{
		"written":                {[]int{200}, ""},
		"there already":          {[]int{412}, ""},
		"throttled, then well":   {[]int{503, 409, 200}, ""},
		"throttled for ever":     {[]int{503}, "503 Service Unavailable: SlowDown"},
		"no bucket, never again": {[]int{404, 200}, "404 Not Found: Refused"},
		"refused, never again":   {[]int{403, 200}, "403"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != "data" || r.URL.EscapedPath() != "/b/p/a%2Bb/c%3D1.json" ||
					r.Header.Get("If-None-Match") != "*" ||
					!strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/s3/aws4_request") ||
					r.Header.Get("X-Amz-Security-Token") != "token" {
					t.Errorf("%s %s %v: %s, %v", r.Method, r.URL.EscapedPath(), r.Header, body, err)
				}
				status := test.statuses[min(int(calls.Add(1)), len(test.statuses))-1]
				w.WriteHeader(status)
				code := "Refused"
				if status >= 500 {
					code = "SlowDown"
				}
				if status >= 400 {
					_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>with a value</Message></Error>")
				}
			}))
			defer server.Close()
			err := mustBucket(t, server.URL, "eu-west-1", "s3://b/p").PutNew(t.Context(), "a+b/c=1.json", []byte("data"))
			if (err == nil) != (test.fault == "") || err != nil && !strings.Contains(err.Error(), test.fault) {
				t.Errorf("got %v, want %q", err, test.fault)
			}
			if got := int(calls.Load()); test.fault == "" && got != len(test.statuses) || got > policy.Tries {
				t.Errorf("%d requests", got)
			}
			if test.fault != "" && test.statuses[0] < 500 && calls.Load() != 1 {
				t.Errorf("sent again after %v", err)
			}
		})
	}
}

func TestReadRange(t *testing.T) {
	t.Parallel()
	const object = "0123456789"
	for name, test := range map[string]struct {
		statuses []int // before the answer
		from, n  int64
		want     string // "": an error
	}{
		"the start":            {nil, 0, 4, "0123"},
		"the middle":           {nil, 3, 4, "3456"},
		"the end":              {nil, 8, 4, "89"},
		"beyond the end":       {nil, 10, 4, ""},
		"throttled, then well": {[]int{503, 500}, 0, 4, "0123"},
		"not there":            {[]int{404}, 0, 4, ""},
		"not allowed":          {[]int{403}, 0, 4, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.EscapedPath() != "/b/p/run%3D1/x" || !strings.Contains(r.Header.Get("Authorization"), "/s3/aws4_request") {
					t.Errorf("%s %v", r.URL.EscapedPath(), r.Header)
				}
				if n := int(calls.Add(1)); n <= len(test.statuses) {
					w.WriteHeader(test.statuses[n-1])
					return
				}
				http.ServeContent(w, r, "", time.Time{}, strings.NewReader(object))
			}))
			defer server.Close()
			got, err := mustBucket(t, server.URL, "eu-west-1", "s3://b/p").ReadRange(t.Context(), "run=1/x", test.from, test.n)
			if string(got) != test.want || (err == nil) != (test.want != "") {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}
