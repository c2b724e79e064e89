package promotion

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// mustAuthority makes the certificate of an authority.
func mustAuthority(t *testing.T, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestServersCertificateCanBeVerified(t *testing.T) {
	t.Parallel()
	ofRDS := bytes.Join([][]byte{mustAuthority(t, "Amazon RDS eu-west-1 Root CA RSA2048 G1"),
		mustAuthority(t, "Amazon RDS us-east-1 Root CA RSA2048 G1")}, nil)
	withShop := append(bytes.Clone(ofRDS), mustAuthority(t, "Shop CA")...)
	for _, test := range []struct {
		host        string
		authorities []byte
		ok          bool
	}{
		{"shop.abcdefghijkl.eu-west-1.rds.amazonaws.com", ofRDS, true},
		{"mysql.shop.internal", ofRDS, false},
		{"mysql.shop.internal", withShop, true},
		{"10.9.0.5", ofRDS, false},
		{"mysql.shop.internal", nil, false},
	} {
		err := verifiable(test.host, test.authorities)
		if test.ok != (err == nil) || !test.ok && (!errors.Is(err, ErrNoAuthority) || !strings.Contains(err.Error(),
			test.host)) {
			t.Errorf("%s with %d bytes of authorities: %v", test.host, len(test.authorities), err)
		}
	}
}

func TestNewAccountReservesNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		variables string
		limit     string
		more      []string
		want      error
	}{
		{`{}`, "1000", nil, nil},
		{`{}`, "10", []string{"-var=function_concurrency=-1"}, nil},
		{`{"function_concurrency": null}`, "10", []string{"-var=function_concurrency=-1"}, nil},
		{`{"function_concurrency": 20}`, "1000", nil, nil},
		{`{"function_concurrency": 20}`, "10", nil, ErrConcurrency},
		{`{"function_concurrency": -1}`, "no answer", nil, nil},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/account-settings") || test.limit == "no answer" {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			_, _ = io.WriteString(w, `{"AccountLimit": {"ConcurrentExecutions": `+test.limit+`}}`)
		}))
		t.Cleanup(server.Close)
		cfg := aws.Config{Region: "eu-west-1", BaseEndpoint: &server.URL,
			Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
		more, reason, err := preflight(t.Context(), cfg, []byte(test.variables), nil, false)
		if !slices.Equal(more, test.more) || !errors.Is(err, test.want) || (len(more) > 0) != (reason != "") {
			t.Errorf("%s in an account of %s: %v, %q, %v", test.variables, test.limit, more, reason, err)
		}
	}
}

// TestFeedbackNeedsDuckDB: the image and the variables must agree.
func TestFeedbackNeedsDuckDB(t *testing.T) {
	t.Parallel()
	const others = `"function_concurrency": -1`
	for _, test := range []struct {
		variables string
		duckdb    bool
		more      []string
		want      error
	}{
		{`{` + others + `}`, false, nil, nil},
		{`{` + others + `}`, true, []string{"-var=feedback={}"}, nil},
		{`{` + others + `, "feedback": {"cpu": 4096}}`, true, nil, nil},
		{`{` + others + `, "feedback": {}}`, false, nil, ErrDuckDB},
	} {
		more, _, err := preflight(t.Context(), aws.Config{}, []byte(test.variables), nil, test.duckdb)
		if !slices.Equal(more, test.more) || !errors.Is(err, test.want) {
			t.Errorf("%s, DuckDB %t: %v, %v", test.variables, test.duckdb, more, err)
		}
	}
}
