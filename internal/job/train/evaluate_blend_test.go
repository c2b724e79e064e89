package train

import (
	"bytes"
	"testing"

	"kindred/internal/platform/program"
)

// TestBlendIsMeasuredNextToKindred asks for the one row besides kindred.
func TestBlendIsMeasuredNextToKindred(t *testing.T) {
	t.Parallel()
	train, test := mustSplit(t)
	var out, problems bytes.Buffer
	code := program.Run(t.Context(), "train", Description, &Command{}, []string{"evaluate", "--train", train,
		"--test", test, "--tune-budget", "0.5", "--largest-dim", "16", "--epochs", "4", "--rows", RowBlend + "," + RowNear,
		"--json"}, &out, &problems)
	var result EvaluationResult
	if _, err := program.ReadResult(out.Bytes(), &result); err != nil || code != 0 {
		t.Fatalf("exit %d, %v, %s", code, err, &problems)
	}
	if len(result.Rows) != 3 || result.Rows[0].Model != RowKindred || result.Rows[1].Model != RowBlend ||
		result.Rows[2].Model != RowNear {
		t.Fatalf("rows are %+v", result.Rows)
	}
	kindred, blend, near := result.Rows[0], result.Rows[1], result.Rows[2]
	if chosen := near.Options["near"]; near.OverKindred == nil || chosen == nil && near.NDCG20 != kindred.NDCG20 {
		t.Errorf("with the neighbours %v NDCG@20 is %g, without them %g", chosen, near.NDCG20, kindred.NDCG20)
	}
	if blend.OverKindred == nil || kindred.OverKindred != nil {
		t.Fatalf("gains are %v and %v", kindred.OverKindred, blend.OverKindred)
	}
	if gain := blend.NDCG20 - kindred.NDCG20; gain < blend.OverKindred.NDCG20.Low-1e-9 ||
		gain > blend.OverKindred.NDCG20.High+1e-9 || blend.OverKindred.NDCG20.High < 0 {
		t.Errorf("the gain is %g, its interval %+v", gain, blend.OverKindred.NDCG20)
	}
	if parts, _ := blend.Options["parts"].([]any); len(parts) > 2 {
		t.Errorf("parts are %v", parts)
	}
}
