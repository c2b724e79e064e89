package program

import (
	"bytes"
	"testing"

	"kindred/internal/platform/golden"
)

func TestGoldenEnvelope(t *testing.T) {
	t.Parallel()
	var printed bytes.Buffer
	out := Output{JSON: true, Stdout: &printed, program: "publish", version: "0123456789abcdef0123456789abcdef01234567",
		run: "20260301T124500Z-k3x9qd"}
	if err := out.Result("", map[string]string{"version": "m0123456789abcde"}); err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "envelope.json", golden.Indent(t, printed.Bytes()))
}
