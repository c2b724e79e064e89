//go:build !onlambda

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
)

func TestCommandLine(t *testing.T) {
	t.Setenv("PGVECTOR_DSN", "")
	call := func(args ...string) (int, string) {
		var out bytes.Buffer
		return program.Run(t.Context(), "serve", description, &command{}, args, &out, &out), out.String()
	}
	if code, help := call("--help"); code != 0 || !strings.Contains(help, "/openapi.json") ||
		!strings.Contains(help, "127.0.0.1:8080") || !strings.Contains(help, "$PGVECTOR_DSN") {
		t.Errorf("help: exit %d, %s", code, help)
	}
	if code, said := call("--version"); code != 0 || !strings.Contains(said, "built with go") {
		t.Errorf("version: exit %d, %s", code, said)
	}
	for _, args := range [][]string{{"--port", "1"}, {"extra"}, nil, {"--pgvector-dsn=postgres://%"}} {
		if code, said := call(args...); code != 2 || strings.Contains(said, "panic") {
			t.Errorf("%q: exit %d, %s", args, code, said)
		}
	}
}

// The program's own listener, and not only its handler, refuses a foreign Host header. It needs no
// database for that.
func TestProgramRefusesForeignHosts(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	said, say := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		c := command{PGVector: envconfig.PGVector{DSN: "postgres://nobody@127.0.0.1:1/none"}, Listen: "127.0.0.1:0",
			AllowHost: []string{"shop.example"}}
		err := c.Run(ctx, &program.Output{Stderr: say})
		ended <- errors.Join(err, say.Close())
	}()
	var line struct{ Address string }
	if err := json.NewDecoder(said).Decode(&line); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	for host, want := range map[string]int{"": 200, "shop.example": 200, "evil.example": 421} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+line.Address+"/openapi.json", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil || answer.StatusCode != want {
			t.Errorf("Host %q: status %d, want %d; %v", host, answer.StatusCode, want, err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
