package erase

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"kindred/internal/lake/erased"
)

func TestAReportIsCheckedBySomebodyElse(t *testing.T) {
	t.Parallel()
	h := mustHold(t)
	c := command("7")
	result, err := c.erase(t.Context(), h.job(plain))
	if err != nil {
		t.Fatal(err)
	}
	report, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	list := erased.Signer(c.Erasure.Secret)
	if _, err := checked(report, list); err != nil {
		t.Errorf("the report as it was signed: %v", err)
	}
	changed := bytes.Replace(report, []byte(`"persons": 2`), []byte(`"persons": 3`), 1)
	if bytes.Equal(changed, report) {
		t.Fatal("the report has no number of persons to change")
	}
	if _, err := checked(changed, list); !errors.Is(err, ErrSignature) {
		t.Errorf("a changed report: %v", err)
	}
	if _, err := checked(report, erased.Signer("another secret")); !errors.Is(err, ErrSignature) {
		t.Errorf("another secret: %v", err)
	}
	more := bytes.Replace(report, []byte("{"), []byte(`{"added": 1,`), 1)
	if _, err := checked(more, list); err == nil {
		t.Error("a report with a field that nobody signed is taken")
	}
}
