package provenance_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kindred/internal/platform/golden"
	"kindred/internal/release/inventory"
	"kindred/internal/release/provenance"
)

// statement is about two files. Its modules are named twice, as two platforms name them.
func statement(t *testing.T) []byte {
	t.Helper()
	modules := []inventory.Component{
		{Name: "std", Version: "1.26.5", PURL: "pkg:golang/std@1.26.5"},
		{Name: "golang.org/x/sync", Version: "v0.24.0", PURL: "pkg:golang/golang.org/x/sync@v0.24.0",
			Sum: "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
		{Name: "uplot", Version: "1.6.32", PURL: "pkg:npm/uplot@1.6.32"},
	}
	s, err := provenance.Of(map[string][]byte{"install.sh": []byte("#!/bin/sh\n"),
		"kindred-v1.2.0-linux-amd64.tar.gz": []byte("an archive")},
		provenance.Parameters{Version: "v1.2.0", Platforms: []string{"linux/amd64"},
			Repository: "https://git.example/kindred"},
		provenance.Source{Commit: "735230b8a5c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5", GoSum: []byte("go.sum's lines\n"),
			Components: append(modules, modules...)})
	if err != nil {
		t.Fatal(err)
	}
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestGolden(t *testing.T) {
	t.Parallel()
	golden.Equal(t, "provenance.json", statement(t))
	signed, err := provenance.Sign([]byte("{}\n"), ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "provenance.intoto.jsonl", signed)
}

func TestAnotherStatementIsRefused(t *testing.T) {
	t.Parallel()
	said := string(statement(t))
	if s, err := provenance.Decode([]byte(said)); err != nil || s.Commit() != "735230b8a5c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5" {
		t.Errorf("the commit is %q, %v", s.Commit(), err)
	}
	for _, bad := range []string{"", "{}", said[:len(said)/2],
		strings.Replace(said, "Statement/v1", "Statement/v2", 1), strings.Replace(said, "provenance/v1", "vsa/v1", 1),
		strings.Replace(said, "make-release:v1", "make-release:v2", 1)} {
		if _, err := provenance.Decode([]byte(bad)); !errors.Is(err, provenance.ErrStatement) {
			t.Errorf("%.60q gives %v", bad, err)
		}
	}
}

// write writes a key as PEM and returns the file.
func write(t *testing.T, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// pair writes both halves of a key and reads them again.
func pair(t *testing.T, key crypto.Signer) (crypto.Signer, crypto.PublicKey) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	private, err := provenance.PrivateKey(write(t, "PRIVATE KEY", der, err))
	if err != nil {
		t.Fatal(err)
	}
	der, err = x509.MarshalPKIXPublicKey(key.Public())
	public, err := provenance.PublicKey(write(t, "PUBLIC KEY", der, err))
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

func edwards(t *testing.T) crypto.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ellipticKey(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// What one key has signed, only that key opens, and no changed byte of it.
func TestSignatures(t *testing.T) {
	t.Parallel()
	said := statement(t)
	for name, keys := range map[string][2]crypto.Signer{
		"Ed25519":   {edwards(t), edwards(t)},
		"ECDSA":     {ellipticKey(t, elliptic.P256()), ellipticKey(t, elliptic.P256())},
		"two kinds": {edwards(t), ellipticKey(t, elliptic.P256())},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			private, public := pair(t, keys[0])
			_, other := pair(t, keys[1])
			envelope, err := provenance.Sign(said, private)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := provenance.Sign(said, private); err != nil || !bytes.Equal(envelope, again) {
				t.Errorf("signing again gives other bytes (%v)", err)
			}
			if opened, err := provenance.Open(envelope, public); err != nil || !bytes.Equal(opened, said) {
				t.Errorf("the key opens its envelope: %v", err)
			}
			if _, err := provenance.Open(envelope, other); !errors.Is(err, provenance.ErrSignature) {
				t.Errorf("another key: %v", err)
			}
			for i := range envelope[:len(envelope)-1] {
				changed := bytes.Clone(envelope)
				changed[i] ^= 1
				if opened, err := provenance.Open(changed, public); err == nil && !bytes.Equal(opened, said) {
					t.Fatalf("byte %d of the envelope may change", i)
				}
			}
		})
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return write(t, "PRIVATE KEY", der, err)
	}
	der, err := x509.MarshalPKIXPublicKey(&weak.PublicKey)
	public := write(t, "PUBLIC KEY", der, err)
	for says, path := range map[string]string{"no such file": "nowhere.pem", "RSA": pkcs8(weak),
		"ecdsa": pkcs8(ellipticKey(t, elliptic.P384())), "PUBLIC KEY": public,
		"asn1": write(t, "PRIVATE KEY", []byte("nothing"), nil)} {
		if _, err := provenance.PrivateKey(path); !errors.Is(err, provenance.ErrKey) ||
			!strings.Contains(strings.ToLower(err.Error()), strings.ToLower(says)) {
			t.Errorf("the private key %q gives %v", says, err)
		}
	}
	for _, path := range []string{public, pkcs8(edwards(t))} {
		if _, err := provenance.PublicKey(path); !errors.Is(err, provenance.ErrKey) {
			t.Errorf("a public key gives %v", err)
		}
	}
}
