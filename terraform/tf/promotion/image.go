package promotion

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// imageTime is the time of creation in every image. The real time would give the same content
// another digest.
var imageTime = time.Unix(0, 0).UTC()

// entry is one file.
type entry struct {
	name string
	mode int64
	data []byte
}

type descriptor struct {
	MediaType string            `json:"mediaType"`
	Digest    string            `json:"digest"`
	Size      int               `json:"size"`
	Platform  map[string]string `json:"platform,omitempty"`
}

// imageArchitecture is that of the Fargate tasks.
const imageArchitecture = "arm64"

// image returns a FROM scratch image of the files, as an OCI archive that `docker load` reads too. It
// needs neither engine nor network: an image is a tar of a layer, a description and an index. See
// https://github.com/opencontainers/image-spec/blob/main/image-layout.md.
func image(files []entry) ([]byte, error) {
	layer, err := layerOf(files)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(layer); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	config, err := json.Marshal(map[string]any{
		"created": imageTime, "architecture": imageArchitecture, "os": "linux",
		// The image declares /tmp as a volume, because ECS then gives the task's volume the image's
		// owner and mode: user 65532 may write to it.
		"config": map[string]any{"User": "65532:65532", "Env": []string{"TMPDIR=/tmp"},
			"Volumes": map[string]any{"/tmp": map[string]any{}}},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": []string{digest(layer)}},
		"history": []map[string]any{{"created": imageTime, "created_by": "kindred"}},
	})
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": descriptor{MediaType: "application/vnd.oci.image.config.v1+json", Digest: digest(config),
			Size: len(config)},
		"layers": []descriptor{{MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Digest: digest(packed.Bytes()),
			Size: packed.Len()}},
	})
	if err != nil {
		return nil, err
	}
	index, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
		"manifests": []descriptor{{MediaType: "application/vnd.oci.image.manifest.v1+json", Digest: digest(manifest),
			Size:     len(manifest),
			Platform: map[string]string{"architecture": imageArchitecture, "os": "linux"}}},
	})
	if err != nil {
		return nil, err
	}
	docker, err := json.Marshal([]map[string]any{{"Config": blob(config), "RepoTags": []string{"kindred/batch:local"},
		"Layers": []string{blob(packed.Bytes())}}})
	if err != nil {
		return nil, err
	}
	return tarOf([]entry{
		{"oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`)}, {"index.json", 0o644, index},
		{"manifest.json", 0o644, docker},
		{blob(manifest), 0o644, manifest}, {blob(config), 0o644, config}, {blob(packed.Bytes()), 0o644, packed.Bytes()},
	}, nil)
}

// layerOf returns the file system as a tar: /tmp, in which every user may write, and the files.
func layerOf(files []entry) ([]byte, error) {
	return tarOf(files, []tar.Header{{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}})
}

func tarOf(files []entry, first []tar.Header) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, h := range first {
		h.ModTime, h.Format = imageTime, tar.FormatUSTAR
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
	}
	for _, f := range files {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: imageTime,
			Format: tar.FormatUSTAR}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// blob returns the path of a blob in the archive.
func blob(data []byte) string { return "blobs/sha256/" + digest(data)[len("sha256:"):] }
