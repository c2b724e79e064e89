package commit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Format is the version of the manifest's own layout. A reader refuses a later one.
const Format = 1

// ManifestName is the manifest's name in the folder of its run.
const ManifestName = "manifest.json"

const (
	currentName = "CURRENT"
	// shortHash is how many hex digits of the content hash name a run: 64 bits, no two sets of one shop collide.
	shortHash = 16
)

// File is one file of a run.
type File struct {
	Path    string `json:"path"`     // relative to the run's folder, "ratings/part-00000.parquet"
	DataSet string `json:"data_set"` // which data set it belongs to, "ratings"
	Rows    int64  `json:"rows"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"` // lower-case hex
}

// Manifest lists a run, whole. It is written once and never changed.
type Manifest struct {
	Format            int             `json:"format"`
	Kind              string          `json:"kind"` // "training-set", "model-version"
	Run               string          `json:"run"`
	ContentHash       string          `json:"content_hash"` // SHA-256 over the sorted paths, hashes and rows of Files
	SchemaFingerprint string          `json:"schema_fingerprint"`
	Source            json.RawMessage `json:"source,omitempty"`  // where the data came from, and from which moment
	Details           json.RawMessage `json:"details,omitempty"` // what the writer wants remembered
	// the run that was current when this one was first written
	Parent    string    `json:"parent,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	Erased    []Erasure `json:"erased,omitempty"` // what Reissue took out, oldest first
	Files     []File    `json:"files"`            // sorted by Path
}

// Rows adds up the rows of one data set.
func (m Manifest) Rows(dataSet string) int64 {
	var rows int64
	for _, f := range m.Files {
		if f.DataSet == dataSet {
			rows += f.Rows
		}
	}
	return rows
}

// Bytes adds up the sizes of all files.
func (m Manifest) Bytes() int64 {
	var sum int64
	for _, f := range m.Files {
		sum += f.Bytes
	}
	return sum
}

// pointer is the content of CURRENT.
type pointer struct {
	Run            string `json:"run"`
	ManifestSHA256 string `json:"manifest_sha256"`
}

// contentHash is the same for the same files, whenever, wherever and by whom they were written.
func contentHash(sorted []File) string {
	hash := sha256.New()
	for _, f := range sorted {
		fmt.Fprintf(hash, "%q %s %d\n", f.Path, f.SHA256, f.Rows)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// checkFiles sorts files by path and reports every path that cannot be in a run.
func checkFiles(files []File) error {
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	var problems []error
	for i, f := range files {
		if f.Path == "" || f.Path == ManifestName || path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path ||
			strings.HasPrefix(f.Path, "..") {
			problems = append(problems, fmt.Errorf("path %q cannot be a file of a run", f.Path))
		}
		if i > 0 && files[i-1].Path == f.Path {
			problems = append(problems, fmt.Errorf("path %q is there twice", f.Path))
		}
	}
	return errors.Join(problems...)
}

// checkRun accepts names that are one plain part of a key.
func checkRun(run string) error {
	if run == "" || strings.ContainsAny(run, "/\\=%\x00") || strings.HasPrefix(run, ".") {
		return fmt.Errorf("run %q is not a plain name", run)
	}
	return nil
}

// DecodeManifest reads a manifest and checks that it speaks of run and agrees with itself. Damage
// is ErrCorrupt. It is for a reader who has no Repository.
func DecodeManifest(data []byte, run string) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, fmt.Errorf("%w: manifest of run %s is no JSON: %w", ErrCorrupt, run, err)
	}
	if m.Format > Format {
		return Manifest{}, fmt.Errorf("manifest of run %s has format %d, this program knows up to %d", run, m.Format, Format)
	}
	if err := checkFiles(m.Files); err != nil {
		return Manifest{}, fmt.Errorf("%w: manifest of run %s: %w", ErrCorrupt, run, err)
	}
	if m.Run != run || m.ContentHash != contentHash(m.Files) {
		return Manifest{}, fmt.Errorf("%w: manifest of run %s does not agree with itself", ErrCorrupt, run)
	}
	m.Source, m.Details = compact(m.Source), compact(m.Details) // they are stored indented for people
	return m, nil
}

// compact removes the white space of valid JSON.
func compact(data json.RawMessage) json.RawMessage {
	if data == nil {
		return nil
	}
	var out bytes.Buffer
	if err := json.Compact(&out, data); err != nil {
		return data
	}
	return out.Bytes()
}
