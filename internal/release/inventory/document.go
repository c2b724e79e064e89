package inventory

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"

	"kindred/internal/platform/artifact"
)

// Names of the two documents in every archive, zip and image.
const (
	NoticesFile = "THIRD_PARTY_LICENCES.txt"
	SBOMFile    = "sbom.cdx.json"
)

// Notices returns the texts of the components' licences and notices. Components with the same text share
// it. Equal components give equal bytes.
func Notices(components []Component) []byte {
	var out bytes.Buffer
	out.WriteString("This file has the licences of the software of others that is part of kindred's programs here.\n" +
		"kindred itself is licensed under Apache-2.0.\n\n")
	holders := map[string][]string{} // by text
	for _, c := range components {
		fmt.Fprintf(&out, "%s %s: %s\n", c.Name, c.Version, strings.Join(c.Licences, ", "))
		for _, t := range c.Texts {
			holders[strings.TrimSpace(t.Data)] = append(holders[strings.TrimSpace(t.Data)],
				fmt.Sprintf("%s %s: %s", c.Name, c.Version, t.Name))
		}
	}
	texts := slices.SortedFunc(maps.Keys(holders), func(a, b string) int {
		return cmp.Or(strings.Compare(holders[a][0], holders[b][0]), strings.Compare(a, b))
	})
	line := strings.Repeat("=", 80)
	for _, text := range texts {
		fmt.Fprintf(&out, "\n%s\n%s\n%s\n\n%s\n", line, strings.Join(holders[text], "\n"), line, text)
	}
	return out.Bytes()
}

// Subject is the shipped file that an SBOM describes.
type Subject struct {
	Name    string            // such as kindred-v1.2.0-linux-amd64 or recommend.zip
	Version string            // of the release, or the commit; "" if it has none
	Files   map[string][]byte // its programs by path
	// Foreign are files of others by path, such as a library of the operating system. Their licences lie beside
	// them: Notices does not know them.
	Foreign map[string][]byte
}

// SBOM returns the software bill of materials of a subject with these components, as CycloneDX 1.6 in
// JSON. It has neither a time nor a random number: equal input gives equal bytes. A Go module's hash is
// that of go.sum, which `go mod verify` checks.
func SBOM(subject Subject, components []Component) ([]byte, error) {
	root := "kindred/" + subject.Name
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Component: &cyclonedx.Component{BOMRef: root, Name: subject.Name,
		Version: subject.Version, Type: cyclonedx.ComponentTypeApplication, Licenses: choices([]string{"Apache-2.0"})}}
	all := []cyclonedx.Component{}
	refs := []string{}
	add := func(name, version string, data []byte, licences *cyclonedx.Licenses) {
		sum := sha256.Sum256(data)
		all = append(all, cyclonedx.Component{BOMRef: root + "/" + name, Name: name, Version: version,
			Type:     cyclonedx.ComponentTypeFile,
			Hashes:   &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
			Licenses: licences})
		refs = append(refs, root+"/"+name)
	}
	for _, name := range slices.Sorted(maps.Keys(subject.Files)) {
		add(name, subject.Version, subject.Files[name], choices([]string{"Apache-2.0"}))
	}
	for _, name := range slices.Sorted(maps.Keys(subject.Foreign)) {
		add(name, "", subject.Foreign[name], nil)
	}
	for _, c := range components {
		entry := cyclonedx.Component{BOMRef: c.PURL, Name: c.Name, Version: c.Version, PackageURL: c.PURL,
			Type: cyclonedx.ComponentTypeLibrary, Licenses: choices(c.Licences)}
		if hash, ok := strings.CutPrefix(c.Sum, "h1:"); ok {
			sum, err := base64.StdEncoding.DecodeString(hash)
			if err != nil {
				return nil, fmt.Errorf("SBOM of %s: the hash of %s: %w", subject.Name, c.Name, err)
			}
			entry.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
		}
		all = append(all, entry)
		refs = append(refs, c.PURL)
	}
	bom.Components = &all
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: root, Dependencies: &refs}}
	var out bytes.Buffer
	encoder := cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON).SetPretty(true)
	if err := encoder.EncodeVersion(bom, cyclonedx.SpecVersion1_6); err != nil {
		return nil, fmt.Errorf("SBOM of %s: %w", subject.Name, err)
	}
	return out.Bytes(), nil
}

// Documents returns the licence texts and the SBOM of a subject with the targets' programs, by the name
// that they have in the subject. The error is that of Of, or of the SBOM.
func Documents(ctx context.Context, dir string, subject Subject, targets ...artifact.Target) (map[string][]byte,
	error) {
	components, err := Of(ctx, dir, targets...)
	if err != nil {
		return nil, err
	}
	sbom, err := SBOM(subject, components)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{NoticesFile: Notices(components), SBOMFile: sbom}, nil
}

func choices(licences []string) *cyclonedx.Licenses {
	all := cyclonedx.Licenses{}
	for _, id := range licences {
		all = append(all, cyclonedx.LicenseChoice{License: &cyclonedx.License{ID: id}})
	}
	return &all
}
