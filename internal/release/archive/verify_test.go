package archive

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// signedRelease returns a small release, and the key that signed it.
func signedRelease(t *testing.T) (map[string][]byte, ed25519.PrivateKey) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"kindred-v1.2.3-linux-amd64.tar.gz": []byte("an archive"), "install.sh": []byte("sh")}
	r := Release{Version: "v1.2.3", Platforms: []string{"linux/amd64"}, Key: key}
	if err := attest(repository, strings.Repeat("a", 40), r, nil, files); err != nil {
		t.Fatal(err)
	}
	files[SumsFile] = sums(files, "")
	return files, key
}

// inFolder writes the files into a new folder.
func inFolder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	folder := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestVerify(t *testing.T) {
	t.Parallel()
	files, key := signedRelease(t)
	for _, k := range []crypto.PublicKey{nil, key.Public()} {
		v, err := Verify(inFolder(t, files), k)
		want := Verified{Files: 4, Version: "v1.2.3", Commit: strings.Repeat("a", 40), Signed: k != nil}
		if err != nil || v != want {
			t.Errorf("verified %+v, %v, want %+v", v, err, want)
		}
	}
}

// Each change is found: by anybody, or, if the one who changed it wrote new checksums and a new provenance,
// with the key.
func TestVerifyFindsChanges(t *testing.T) {
	t.Parallel()
	const name = "kindred-v1.2.3-linux-amd64.tar.gz"
	resum := func(f map[string][]byte) {
		delete(f, SumsFile)
		f[SumsFile] = sums(f, "")
	}
	// attestAgain is what somebody without the key can do.
	attestAgain := func(f map[string][]byte, key crypto.Signer) {
		envelope := f[SignedFile]
		for _, made := range []string{SumsFile, ProvenanceFile, SignedFile} {
			delete(f, made)
		}
		r := Release{Version: "v1.2.3", Platforms: []string{"linux/amd64"}, Key: key}
		if err := attest(repository, strings.Repeat("a", 40), r, nil, f); err != nil {
			t.Error(err)
		}
		if key == nil && envelope != nil {
			f[SignedFile] = envelope
		}
		resum(f)
	}
	other := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	for says, c := range map[string]struct {
		change  func(f map[string][]byte)
		onlyKey bool // only the key finds it
	}{
		"expected": {func(f map[string][]byte) { f[name][0] ^= 1 }, false},
		"its provenance says": {func(f map[string][]byte) {
			f[name][0] ^= 1
			resum(f)
		}, false},
		"install.sh is in SHA256SUMS, and missing": {func(f map[string][]byte) { delete(f, "install.sh") }, false},
		"install.sh is in the provenance, and missing": {func(f map[string][]byte) {
			delete(f, "install.sh")
			resum(f)
		}, false},
		"more.sh is not in SHA256SUMS": {func(f map[string][]byte) { f["more.sh"] = []byte("x") }, false},
		"more.sh is not in the provenance": {func(f map[string][]byte) {
			f["more.sh"] = []byte("x")
			resum(f)
		}, false},
		"no provenance of a release": {func(f map[string][]byte) {
			delete(f, ProvenanceFile)
			resum(f)
		}, false},
		"has no file SHA256SUMS": {func(f map[string][]byte) { delete(f, SumsFile) }, false},
		"differs from what is signed": {func(f map[string][]byte) {
			f[name][0] ^= 1
			attestAgain(f, nil)
		}, true},
		"the release is not signed": {func(f map[string][]byte) {
			delete(f, SignedFile)
			attestAgain(f, nil)
		}, true},
		"the signature is not by this key": {func(f map[string][]byte) {
			f[name][0] ^= 1
			attestAgain(f, other)
		}, true},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			files, key := signedRelease(t)
			changed := maps.Clone(files)
			changed[name] = bytes.Clone(files[name])
			c.change(changed)
			folder := inFolder(t, changed)
			if _, err := Verify(folder, key.Public()); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), says) {
				t.Errorf("with the key: %v", err)
			}
			if _, err := Verify(folder, nil); (err == nil) != c.onlyKey {
				t.Errorf("without the key: %v", err)
			}
		})
	}
}
