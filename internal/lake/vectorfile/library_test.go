package vectorfile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFilesOfOtherLibrariesAreRead reads what implicit, PyTorch and Spark MLlib have written, and compares
// it with what the library itself held, which lies beside each file. A library was given 20 products and
// 12 customers, and MLlib 8 products. PyTorch learned which of them go together with two torch.nn.Embedding
// of 4 components, whose inner products were fitted by binary_cross_entropy_with_logits and Adam.
func TestFilesOfOtherLibrariesAreRead(t *testing.T) {
	t.Parallel()
	truths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(truths) != 5 {
		t.Fatalf("files %v, %v", truths, err)
	}
	for _, truth := range truths {
		text, err := os.ReadFile(truth)
		if err != nil {
			t.Fatal(err)
		}
		var want map[string][]float32
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		v, err := Read(strings.TrimSuffix(truth, ".json"), "")
		if err != nil {
			t.Fatal(err)
		}
		if len(want) < 8 || len(v.IDs) != len(want) {
			t.Errorf("%s: %d vectors, want %d", truth, len(v.IDs), len(want))
		}
		for i, id := range v.IDs {
			if !slices.Equal(v.Vector(i), want[id]) {
				t.Errorf("%s: %s has %v, want %v", truth, id, v.Vector(i), want[id])
			}
		}
	}
}
