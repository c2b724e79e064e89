package activity_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"kindred/internal/stream/activity"

	"pgregory.net/rapid"
)

func TestOrderSurvivesJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := activity.Order{At: time.UnixMicro(rapid.Int64Range(-1<<50, 1<<53).Draw(t, "time")).UTC(),
			Sequence: rapid.StringMatching(`([1-9][0-9]{0,128})?`).Draw(t, "sequence"), Sub: rapid.Int64().Draw(t, "sub")}
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "spaces") { // as PostgreSQL writes it
			data = bytes.ReplaceAll(data, []byte(","), []byte(", "))
		}
		var got activity.Order
		if err := json.Unmarshal(data, &got); err != nil || got != want {
			t.Fatalf("%s became %v, not %v: %v", data, got, want, err)
		}
	})
	for _, text := range []string{`[]`, `[1,2]`, `[1,2,3,4]`, `[1.5,2,3]`, `"a"`, `[1,2,"x"]`, `[1,"2",3]`, `[1,-2,3]`, `[1,2e3,3]`, `[1,[2],3]`, `null`} {
		var o activity.Order
		if err := json.Unmarshal([]byte(text), &o); err == nil {
			t.Errorf("%s was read as %v", text, o)
		}
	}
}

func TestOrderOfAPosition(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_790_000_000_001).UTC()
	for sequence, want := range map[string]string{"0012": "12", "0": "", "": "", "7": "7", "http-1": ""} {
		p := activity.Position{SequenceNumber: sequence, ArrivedAt: at, SubSequenceNumber: 3}
		if got := p.Order(); got != (activity.Order{At: at, Sequence: want, Sub: 3}) {
			t.Errorf("sequence number %q: %v", sequence, got)
		}
	}
}
