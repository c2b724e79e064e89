package vectorstore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"kindred/internal/platform/envconfig"
)

func setCredentials(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_SESSION_TOKEN": "session"} {
		t.Setenv(name, value)
	}
}

// TestEachConnectionLogsInWithATokenOfItsOwn takes connections as RDS would, over TLS that the
// DSN's authorities verify, and reads the password that comes. Through a tunnel, the token is for the server's
// name, and the certificate is the server's.
func TestEachConnectionLogsInWithATokenOfItsOwn(t *testing.T) {
	setCredentials(t)
	authority, certificate := mustCertificate(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0",
		&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12,
			NextProtos: []string{"postgresql"}})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	passwords := make(chan string, 2)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			if password := passwordOf(conn); password != "" {
				passwords <- password
			}
		}
	}()
	here := listener.Addr().String()
	for server, via := range map[string]string{here: "", "vectors.example:5432": here} {
		store, err := Open(t.Context(), envconfig.PGVector{IAM: true, Via: via,
			DSN: "postgres://recommend@" + server +
				"/kindred?sslmode=verify-full&sslnegotiation=direct&sslrootcert=" + authority})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		for range 2 {
			_, err = store.Traffic(t.Context())
			if err == nil || !strings.Contains(err.Error(), "no login here") {
				t.Fatalf("got %v", err)
			}
			token := <-passwords
			if strings.Contains(err.Error(), "X-Amz") {
				t.Errorf("the token is in %q", err)
			}
			u, err := url.Parse("https://" + token)
			if err != nil {
				t.Fatalf("the token is no address: %v", err)
			}
			q := u.Query()
			if u.Host != server || q.Get("Action") != "connect" || q.Get("DBUser") != "recommend" ||
				q.Get("X-Amz-Expires") != "900" ||
				q.Get("X-Amz-Security-Token") != "session" || len(q.Get("X-Amz-Signature")) != 64 ||
				!strings.HasPrefix(q.Get("X-Amz-Credential"), "AKIDEXAMPLE/") ||
				!strings.HasSuffix(q.Get("X-Amz-Credential"), "/eu-west-1/rds-db/aws4_request") {
				t.Errorf("host %s, %v", u.Host, q)
			}
		}
	}
	// A tunnel to another server is noticed.
	store, err := Open(t.Context(), envconfig.PGVector{IAM: true, Via: here,
		DSN: "postgres://recommend@other.example/kindred?sslmode=verify-full&sslnegotiation=direct&sslrootcert=" + authority})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err = store.Traffic(t.Context()); err == nil || !strings.Contains(err.Error(), "other.example") ||
		strings.Contains(err.Error(), "no login here") {
		t.Errorf("another server's certificate: %v", err)
	}
	if _, err = Open(t.Context(), envconfig.PGVector{DSN: "postgres://u@h/d", Via: "15432"}); !errors.Is(err,
		envconfig.ErrConfig) {
		t.Errorf("a tunnel without an address: %v", err)
	}
}

// passwordOf begins PostgreSQL's conversation, asks for the password and refuses it.
func passwordOf(conn net.Conn) string {
	defer conn.Close()
	backend := pgproto3.NewBackend(conn, conn)
	if _, err := backend.ReceiveStartupMessage(); err != nil {
		return "" // the client broke off
	}
	backend.Send(&pgproto3.AuthenticationCleartextPassword{})
	if err := backend.Flush(); err != nil {
		return err.Error()
	}
	if err := backend.SetAuthType(pgproto3.AuthTypeCleartextPassword); err != nil {
		return err.Error()
	}
	message, err := backend.Receive()
	if err != nil {
		return err.Error()
	}
	backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: "no login here"})
	_ = backend.Flush() // the test reads what arrives
	password, _ := message.(*pgproto3.PasswordMessage)
	return password.Password
}

// mustCertificate makes an authority's file and a certificate of 127.0.0.1 and vectors.example that it signed: itself.
func mustCertificate(t *testing.T) (authority string, certificate tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true,
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"vectors.example"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	authority = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return authority, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestNoLoginByIAMWithoutVerifiedTLSOrCredentials(t *testing.T) {
	setCredentials(t)
	for _, mode := range []string{"disable", "allow", "prefer", "require", "verify-ca"} {
		_, err := Open(t.Context(), envconfig.PGVector{DSN: "postgres://u@127.0.0.1/d?sslmode=" + mode, IAM: true})
		if err == nil || !strings.Contains(err.Error(), "verify-full") {
			t.Errorf("%s: %v", mode, err)
		}
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	_, err := Open(t.Context(), envconfig.PGVector{DSN: "postgres://u@127.0.0.1/d?sslmode=verify-full", IAM: true})
	if err == nil || !strings.Contains(err.Error(), "AWS_SECRET_ACCESS_KEY") {
		t.Errorf("without a key: %v", err)
	}
}
