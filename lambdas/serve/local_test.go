//go:build !onlambda

package main

import (
	"bytes"
	"strings"
	"testing"

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
