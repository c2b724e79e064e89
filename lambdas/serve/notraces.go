//go:build onlambda && !traces

package main

import (
	"context"
	"log/slog"
	"net/http"
)

// traces are none: OpenTelemetry's libraries would make the function larger, and its start slower. The build tag
// traces asks for them.
type traces struct{}

func newTraces(context.Context, *slog.Logger, func(string) string, bool) (traces, error) {
	return traces{}, nil
}

func (traces) handler(next http.Handler) http.Handler { return next }
func (traces) watching() watching                     { return watching{} }
func (traces) end(context.Context) error              { return nil }
