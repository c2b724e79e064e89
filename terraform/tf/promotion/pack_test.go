package promotion

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"kindred/internal/release/function"
	"kindred/internal/release/inventory"
)

// A zip and the image say what they link, beside the files that they are given.
func TestPackagesListWhatTheyLink(t *testing.T) {
	t.Parallel()
	more := map[string][]byte{"more.pem": []byte("authorities")}
	packed, err := function.Zip(t.Context(), "../../..", "recommend.zip", "recommend", "linux", "arm64", more)
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range r.File {
		body, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(body); err != nil {
			t.Fatal(err)
		}
	}
	lists(t, files, "github.com/jackc/pgx/v5", "more.pem")

	data, err := batchImage(t.Context(), "../../..", more, "")
	if err != nil {
		t.Fatal(err)
	}
	lists(t, layerFiles(t, data), "golang.org/x/crypto/x509roots/fallback", "more.pem")
}

// lists checks that the files have a module in both documents, and another file.
func lists(t *testing.T, files map[string][]byte, module, other string) {
	t.Helper()
	for _, name := range []string{inventory.NoticesFile, inventory.SBOMFile} {
		if !strings.Contains(string(files[name]), module) {
			t.Errorf("%s (%d bytes) does not name %s", name, len(files[name]), module)
		}
	}
	if len(files[other]) == 0 {
		t.Errorf("%s is missing", other)
	}
}

// layerFiles returns the files of an image's layer.
func layerFiles(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	blobs := untar(t, data)
	var manifest struct{ Layers []descriptor }
	for _, blob := range blobs { // the one with layers is the manifest
		if json.Unmarshal(blob, &manifest) == nil && len(manifest.Layers) == 1 {
			break
		}
	}
	if len(manifest.Layers) != 1 {
		t.Fatal("the image has no manifest with a layer")
	}
	digest := strings.TrimPrefix(manifest.Layers[0].Digest, "sha256:")
	z, err := gzip.NewReader(bytes.NewReader(blobs["blobs/sha256/"+digest]))
	if err != nil {
		t.Fatal(err)
	}
	layer, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return untar(t, layer)
}
