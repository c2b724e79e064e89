package provenance

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"kindred/internal/platform/checksum"
)

// payloadType is that of a statement in an envelope.
const payloadType = "application/vnd.in-toto+json"

// ErrKey is that of a file that has no key which kindred can use.
var ErrKey = errors.New("no usable key")

// ErrSignature is that of an envelope that nobody with the key has signed.
var ErrSignature = errors.New("the signature is not by this key")

// envelope is DSSE's.
type envelope struct {
	Payload     string      `json:"payload"` // base64
	PayloadType string      `json:"payloadType"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid"` // SHA-256 of the public key's DER; a hint, which nothing trusts
	Sig   string `json:"sig"`   // base64
}

const usable = "an Ed25519 key or an ECDSA key of P-256, as PEM: `openssl genpkey -algorithm ed25519` makes one, " +
	"`openssl pkey -pubout` its public key"

// PrivateKey reads a private key, PKCS #8 in PEM without a passphrase. The error is ErrKey.
func PrivateKey(path string) (crypto.Signer, error) {
	der, err := readPEM(path, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w in %s: %w; name %s", ErrKey, path, err, usable)
	}
	signer, ok := key.(crypto.Signer)
	if !ok || !supported(signer.Public()) {
		return nil, fmt.Errorf("%w: %s has a %T; name %s", ErrKey, path, key, usable)
	}
	return signer, nil
}

// PublicKey reads a public key, PKIX in PEM. The error is ErrKey.
func PublicKey(path string) (crypto.PublicKey, error) {
	der, err := readPEM(path, "PUBLIC KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w in %s: %w; name %s", ErrKey, path, err, usable)
	}
	if !supported(key) {
		return nil, fmt.Errorf("%w: %s has a %T; name %s", ErrKey, path, key, usable)
	}
	return key, nil
}

func readPEM(path, kind string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%w: %s is not PEM; name %s", ErrKey, path, usable)
	}
	if block.Type != kind {
		return nil, fmt.Errorf("%w: %s has a %s, wanted is a %s; name %s", ErrKey, path, block.Type, kind, usable)
	}
	return block.Bytes, nil
}

func supported(key crypto.PublicKey) bool {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return true
	case *ecdsa.PublicKey:
		return key.Curve == elliptic.P256()
	default:
		return false
	}
}

// Sign returns an envelope with the statement, as one line of JSON. The same statement and key give the same
// bytes.
func Sign(statement []byte, key crypto.Signer) ([]byte, error) {
	id, err := keyID(key.Public())
	if err != nil {
		return nil, err
	}
	message, hash := authenticated(statement), crypto.Hash(0)
	if _, ok := key.Public().(*ecdsa.PublicKey); ok {
		digest := sha256.Sum256(message)
		message, hash = digest[:], crypto.SHA256
	}
	sig, err := key.Sign(nil, message, hash) // without random numbers: RFC 6979 with ECDSA
	if err != nil {
		return nil, fmt.Errorf("sign the provenance: %w", err)
	}
	line, err := json.Marshal(envelope{base64.StdEncoding.EncodeToString(statement), payloadType,
		[]signature{{id, base64.StdEncoding.EncodeToString(sig)}}})
	return append(line, '\n'), err
}

// Open returns the statement of an envelope that the owner of key has signed. The error is ErrSignature, or
// ErrStatement if the envelope is damaged.
func Open(data []byte, key crypto.PublicKey) ([]byte, error) {
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, fmt.Errorf("%w: the envelope: %w", ErrStatement, err)
	}
	statement, err := base64.StdEncoding.DecodeString(e.Payload)
	if err != nil || e.PayloadType != payloadType {
		return nil, fmt.Errorf("%w: the envelope has a payload of type %q", ErrStatement, e.PayloadType)
	}
	for _, s := range e.Signatures {
		if sig, err := base64.StdEncoding.DecodeString(s.Sig); err == nil && signed(statement, sig, key) {
			return statement, nil
		}
	}
	return nil, fmt.Errorf("%w (the envelope has %d signatures)", ErrSignature, len(e.Signatures))
}

func signed(statement, sig []byte, key crypto.PublicKey) bool {
	message := authenticated(statement)
	switch key := key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, message, sig)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(message)
		return ecdsa.VerifyASN1(key, digest[:], sig)
	default:
		return false
	}
}

// authenticated is what is signed: DSSE's pre-authentication encoding.
func authenticated(statement []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(statement), statement)
}

func keyID(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("sign the provenance: %w", err)
	}
	return checksum.Bytes(der), nil
}
