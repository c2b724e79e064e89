package awsenv

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func from(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

func sample() map[string]string {
	return map[string]string{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_SESSION_TOKEN": "token"}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	env, err := Load(from(sample()))
	if err != nil {
		t.Fatal(err)
	}
	who, err := env.Credentials.Retrieve(t.Context())
	if err != nil || who.AccessKeyID != "key" || who.SecretAccessKey != "secret" || who.SessionToken != "token" ||
		env.Region != "eu-west-1" {
		t.Errorf("region %q, credentials %+v, %v", env.Region, who, err)
	}
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		variables := sample()
		delete(variables, name)
		if _, err := Load(from(variables)); err == nil {
			t.Errorf("no error without %s", name)
		}
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ all, one, local, host string }{
		"on AWS":              {"", "", "", "firehose.eu-west-1.amazonaws.com"},
		"of all services":     {"http://all", "", "http://all", "firehose.eu-west-1.amazonaws.com"},
		"of this one":         {"http://all", "http://one", "http://one", "firehose.eu-west-1.amazonaws.com"},
		"no URL":              {"all", "", "error", ""},
		"no URL of this one":  {"http://all", "one:1", "error", ""},
		"no host, but a path": {"/all", "", "error", ""},
	} {
		variables := sample()
		variables["AWS_ENDPOINT_URL"], variables["AWS_ENDPOINT_URL_FIREHOSE"] = test.all, test.one
		env, err := Load(from(variables))
		if err != nil {
			t.Fatal(err)
		}
		client, err := NewClient(env, "firehose")
		if (err != nil) != (test.local == "error") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		local := ""
		if client.Local != nil {
			local = client.Local.String()
		}
		if local != test.local || client.Host() != test.host {
			t.Errorf("%s: %q and %q", name, local, client.Host())
		}
	}
}

func TestSendSigns(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		authorization := r.Header.Get("Authorization")
		if err != nil || string(body) != "data" || r.Method != http.MethodPut ||
			r.Header.Get("X-Amz-Security-Token") != "token" || r.Header.Get("X-Own") != "1" ||
			r.Header.Get("X-Amz-Content-Sha256") != "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7" ||
			!strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 Credential=key/") ||
			!strings.Contains(authorization, "/eu-west-1/s3/aws4_request") {
			t.Errorf("%s %v: %s, %v", r.Method, r.Header, body, err)
		}
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "answer")
	}))
	defer server.Close()
	env, err := Load(from(sample()))
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewClient(env, "s3")
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Send(t.Context(), http.MethodPut, target, http.Header{"X-Own": {"1"}}, []byte("data"))
	if err != nil || answer.Code != http.StatusTeapot || string(answer.Body) != "answer" {
		t.Errorf("%+v, %v", answer, err)
	}
	server.Close()
	if _, err := client.Send(t.Context(), http.MethodPut, target, nil, nil); err == nil {
		t.Error("no error of a service that is gone")
	}
}
