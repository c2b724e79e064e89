package main

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"kindred/internal/platform/program"
)

// TestItEndsByItself: nobody may have to remember to stop a task that costs money.
func TestItEndsByItself(t *testing.T) {
	t.Parallel()
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for name, test := range map[string]struct {
		ctx  context.Context
		args []string
		code int
	}{
		"after its time":  {t.Context(), []string{"--json", "--for", "1ms"}, 0},
		"when stopped":    {stopped, []string{"--json", "--for", "1h"}, 0},
		"never, refused":  {t.Context(), []string{"--for", "0s"}, 2},
		"before it began": {t.Context(), []string{"--for", "-1h"}, 2},
	} {
		var out, log bytes.Buffer
		if code := program.Run(test.ctx, "tunnel", "", &command{}, test.args, &out, &log); code != test.code {
			t.Errorf("%s: exit code %d: %s", name, code, log.String())
		}
		if test.code == 0 && !json.Valid(out.Bytes()) {
			t.Errorf("%s: %q", name, out.String())
		}
	}
}
