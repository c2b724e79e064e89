// Package provenance says from what a release was built, as an in-toto statement with a predicate of SLSA
// (https://slsa.dev/spec/v1.0/provenance), and signs it as a DSSE envelope
// (https://github.com/secure-systems-lab/dsse). It owns the two formats and the keys. It does not own which
// files a release has, and how they are built.
package provenance

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kindred/internal/platform/checksum"
	"kindred/internal/release/inventory"
)

// The types that a statement names.
const (
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "https://slsa.dev/provenance/v1"
	// buildType is `make release`: externalParameters are its variables, internalParameters the release of Go.
	// resolvedDependencies are the commit, go.sum, Go and all modules that a program of the release links.
	buildType = "urn:kindred:make-release:v1"
	// builder is any machine that ran `make release`: nothing vouches for it but the signature.
	builder = "urn:kindred:any-machine"
)

// ErrStatement is that of a statement that is damaged, or of another kind.
var ErrStatement = errors.New("no provenance of a release of kindred")

// Statement says which files were built from what.
type Statement struct {
	Type          string     `json:"_type"`
	Subject       []Resource `json:"subject"` // sorted by name
	PredicateType string     `json:"predicateType"`
	Predicate     Predicate  `json:"predicate"`
}

// Resource is a file, a commit or a module, with its hashes in hexadecimal by the algorithm's name.
type Resource struct {
	Name   string            `json:"name,omitempty"`
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest,omitempty"`
}

// Predicate is SLSA's, without what differs between two builds of one commit, such as times.
type Predicate struct {
	BuildDefinition Definition `json:"buildDefinition"`
	RunDetails      Run        `json:"runDetails"`
}

// Definition is what a build needs to give the same bytes again.
type Definition struct {
	BuildType            string            `json:"buildType"`
	ExternalParameters   Parameters        `json:"externalParameters"`
	InternalParameters   map[string]string `json:"internalParameters"`
	ResolvedDependencies []Resource        `json:"resolvedDependencies"`
}

// Parameters are what the caller of `make release` chooses.
type Parameters struct {
	Version    string   `json:"version"`
	Platforms  []string `json:"platforms"`
	Repository string   `json:"repository,omitempty"` // its address, if the caller names it
}

// Run is who built.
type Run struct {
	Builder Builder `json:"builder"`
}

// Builder is the kind of machine that built.
type Builder struct {
	ID string `json:"id"`
}

// Source is what a release is built from.
type Source struct {
	Commit     string                // all its digits
	GoSum      []byte                // the file
	Components []inventory.Component // of all programs and platforms; repeats are left out
}

// Of returns the statement about files, by name, that were built with these parameters. Equal input gives an
// equal statement. A component whose sum is not as in go.sum is an error.
func Of(files map[string][]byte, parameters Parameters, source Source) (Statement, error) {
	s := Statement{Type: statementType, PredicateType: predicateType}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		s.Subject = append(s.Subject, Resource{Name: name, Digest: map[string]string{"sha256": checksum.Bytes(files[name])}})
	}
	commit := Resource{Name: "kindred", Digest: map[string]string{"gitCommit": source.Commit}}
	if parameters.Repository != "" {
		commit.URI = "git+" + parameters.Repository + "@" + source.Commit
	}
	linked := map[string]Resource{}
	definition := Definition{BuildType: buildType, ExternalParameters: parameters,
		InternalParameters: map[string]string{}, ResolvedDependencies: []Resource{commit,
			{Name: "go.sum", Digest: map[string]string{"sha256": checksum.Bytes(source.GoSum)}}}}
	for _, c := range source.Components {
		r := Resource{URI: c.PURL}
		if c.Name == "std" {
			definition.InternalParameters["go"] = c.Version
		}
		if hash, ok := strings.CutPrefix(c.Sum, "h1:"); ok {
			raw, err := base64.StdEncoding.DecodeString(hash)
			if err != nil {
				return s, fmt.Errorf("provenance: the hash of %s: %w", c.Name, err)
			}
			r.Digest = map[string]string{"dirHash": hex.EncodeToString(raw)} // in-toto's name of Go's h1
		}
		linked[c.PURL] = r
	}
	for _, key := range slices.Sorted(maps.Keys(linked)) {
		definition.ResolvedDependencies = append(definition.ResolvedDependencies, linked[key])
	}
	s.Predicate = Predicate{BuildDefinition: definition, RunDetails: Run{Builder{builder}}}
	return s, nil
}

// Encode returns the statement as JSON. Equal statements give equal bytes.
func (s Statement) Encode() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		return nil, fmt.Errorf("provenance: %w", err)
	}
	return out.Bytes(), nil
}

// Decode reads a statement. Its error is ErrStatement.
func Decode(data []byte) (Statement, error) {
	var s Statement
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("%w: %w", ErrStatement, err)
	}
	if s.Type != statementType || s.PredicateType != predicateType ||
		s.Predicate.BuildDefinition.BuildType != buildType {
		return s, fmt.Errorf("%w: it is a %q about %q with the build type %q", ErrStatement, s.Type, s.PredicateType,
			s.Predicate.BuildDefinition.BuildType)
	}
	return s, nil
}

// Commit is the commit that the release was built from, or "".
func (s Statement) Commit() string {
	for _, d := range s.Predicate.BuildDefinition.ResolvedDependencies {
		if commit := d.Digest["gitCommit"]; commit != "" {
			return commit
		}
	}
	return ""
}

// Check compares the subjects with files, by name: each has a subject with its hash, and each subject has its
// file. The error names every difference.
func (s Statement) Check(files map[string][]byte) error {
	said := map[string]string{}
	for _, r := range s.Subject {
		said[r.Name] = r.Digest["sha256"]
	}
	return Compare(files, said, "the provenance", "its provenance says")
}

// Compare compares files with what a list says of them, both by name: their SHA-256 in hexadecimal. The error names
// every difference; says comes before a hash of the list.
func Compare(files map[string][]byte, said map[string]string, list, says string) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(said)) {
		data, found := files[name]
		switch have := checksum.Bytes(data); {
		case !found:
			faults = append(faults, fmt.Errorf("%s is in %s, and missing", name, list))
		case have != said[name]:
			faults = append(faults, fmt.Errorf("%s has the SHA-256 %s, %s %s", name, have, says, said[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if _, listed := said[name]; !listed {
			faults = append(faults, fmt.Errorf("%s is not in %s", name, list))
		}
	}
	return errors.Join(faults...)
}
