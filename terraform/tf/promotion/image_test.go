package promotion

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"testing"
)

func untar(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestImageIsWhatItsDigestsSayAndAlwaysTheSame(t *testing.T) {
	t.Parallel()
	content := []entry{{"train", 0o755, []byte("program")}, {"etc/ssl/certs/ca-certificates.crt", 0o644, roots()}}
	first, err := image(content)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := image(content); err != nil || !bytes.Equal(first, again) {
		t.Errorf("the same files give another image (%v)", err)
	}
	files := untar(t, first)
	var index, manifest struct {
		Manifests, Layers []descriptor
		Config            descriptor
	}
	if err := json.Unmarshal(files["index.json"], &index); err != nil || len(index.Manifests) != 1 {
		t.Fatalf("index: %v, %v", index, err)
	}
	get := func(d descriptor) []byte {
		data := files["blobs/sha256/"+d.Digest[len("sha256:"):]]
		if len(data) != d.Size || digest(data) != d.Digest {
			t.Fatalf("blob %s: %d bytes, want %d", d.Digest, len(data), d.Size)
		}
		return data
	}
	if err := json.Unmarshal(get(index.Manifests[0]), &manifest); err != nil {
		t.Fatal(err)
	}
	var config struct {
		Architecture string
		Config       struct{ User string }
		Rootfs       struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(get(manifest.Config), &config); err != nil || config.Architecture != "arm64" ||
		config.Config.User == "" {
		t.Errorf("config: %+v, %v", config, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(get(manifest.Layers[0])))
	if err != nil {
		t.Fatal(err)
	}
	layer, err := io.ReadAll(z)
	if err != nil || digest(layer) != config.Rootfs.DiffIDs[0] {
		t.Errorf("layer: %v", err)
	}
	if inside := untar(t, layer); string(inside["train"]) != "program" || inside["tmp/"] == nil {
		t.Errorf("the layer has %d files", len(inside))
	}
	var docker []struct {
		Config string
		Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &docker); err != nil || files[docker[0].Config] == nil ||
		files[docker[0].Layers[0]] == nil {
		t.Errorf("docker's manifest: %v, %v", docker, err)
	}
}

func TestRootsAreCertificates(t *testing.T) {
	t.Parallel()
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM(roots()) {
		t.Error("no certificate")
	}
	if !bytes.Equal(roots(), roots()) {
		t.Error("another order the second time")
	}
	if n := bytes.Count(roots(), []byte("BEGIN CERTIFICATE")); n < 80 {
		t.Errorf("%d certificates", n)
	}
}
