package actor

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/user"
	"testing"
)

func TestNameIsTheUser(t *testing.T) {
	for _, name := range []string{"ECS_CONTAINER_METADATA_URI_V4", "SUDO_USER", "USER"} {
		t.Setenv(name, "")
	}
	got := Name()
	if u, err := user.Current(); err == nil && got != u.Username {
		t.Errorf("%q, want %q", got, u.Username)
	}
	if got == "" || got == "unknown" {
		t.Errorf("%q", got)
	}
	t.Setenv("SUDO_USER", "ann")
	if got := Name(); got != "ann" {
		t.Errorf("by sudo: %q", got)
	}
}

func TestNameIsTheTask(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v4/x/task" {
			fmt.Fprint(w, `{"Family":"kindred-dev-publish"}`)
		}
	}))
	defer server.Close()
	t.Setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "")
	t.Setenv("ECS_CONTAINER_METADATA_URI_V4", server.URL+"/v4/x")
	if got := Name(); got != "task kindred-dev-publish" {
		t.Error(got)
	}
	server.Close()
	if got := Name(); got == "" {
		t.Error("nobody, when the metadata service does not answer")
	}
}
