package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"kindred/internal/platform/awsclient"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"
)

// neededBytes is what downloads, programs and the default shop's data take together, with room to work.
const neededBytes = 3 << 30

// Finding is the outcome of one check of the doctor.
type Finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`           // what was seen
	Advice string `json:"advice,omitempty"` // what to do when it is not OK
}

// Doctor checks the machine, and each part by using it. Checks of parts that do not run fail with
// the advice to start them.
func (s *Stack) Doctor(ctx context.Context) ([]Finding, error) {
	all, err := s.Status(ctx)
	if err != nil {
		return nil, err
	}
	findings := []Finding{s.engine.examine(ctx), s.examineDisk()}
	for i, p := range s.parts {
		findings = append(findings, s.examinePart(ctx, p, all[i]))
	}
	findings = append(findings, s.examineSockets(all))
	uses := []struct {
		part  int
		check string
		use   func(context.Context) (string, error)
	}{
		{0, "S3 keeps an object", s.useS3},
		{1, "pgvector keeps a vector", s.useVector},
		{2, "MySQL keeps a row", s.useMySQL},
	}
	for _, u := range uses {
		if all[u.part].State == Stopped {
			continue // said above
		}
		findings = append(findings, finding(ctx, u.check, "see "+all[u.part].Log+"; `make local-reset local-up` starts "+
			"afresh", u.use))
	}
	if all[1].State != Stopped {
		findings = append(findings, ExamineLive(ctx, s.readerDSN()))
	}
	return findings, nil
}

func finding(ctx context.Context, check, advice string, use func(context.Context) (string, error)) Finding {
	ctx, stop := context.WithTimeout(ctx, useTimeout)
	defer stop()
	detail, err := use(ctx)
	if err != nil {
		return Finding{Check: check, Detail: err.Error(), Advice: advice}
	}
	return Finding{Check: check, OK: true, Detail: detail}
}

func (s *Stack) examineDisk() Finding {
	free, err := freeBytes(s.folder.state)
	if err != nil {
		return Finding{Check: "disk", Detail: err.Error(), Advice: "check the state folder's disk"}
	}
	f := Finding{Check: "disk", OK: free >= neededBytes, Detail: fmt.Sprintf("%.1f GB free", float64(free)/1e9)}
	if !f.OK {
		f.Advice = fmt.Sprintf("make %.0f GB free, or move the state with KINDRED_STATE=<folder>", float64(neededBytes)/1e9)
	}
	return f
}

func (s *Stack) examinePart(ctx context.Context, p part, st Status) Finding {
	f := Finding{Check: p.name(), OK: st.State == Healthy, Detail: fmt.Sprintf("%s on port %d", st.Version, st.Port)}
	switch st.State {
	case Broken:
		f.Detail, f.Advice = st.Problem, "`make local-up` mends it; its log is "+st.Log
	case Stopped:
		f.Detail, f.Advice = fmt.Sprintf("does not run; port %d is free", st.Port), "`make local-up` starts it"
		if err := s.checkPort(ctx, p); err != nil {
			f.Detail, f.Advice = "does not run", err.Error()
		}
	}
	return f
}

func (s *Stack) examineSockets(all Statuses) Finding {
	f := Finding{Check: "reachable from this machine only", OK: true}
	sockets, err := s.OpenSockets(all)
	if err != nil {
		return Finding{Check: f.Check, Detail: err.Error(), Advice: "install lsof"}
	}
	var open []string
	for port, loopback := range sockets {
		if !loopback {
			open = append(open, fmt.Sprint(port))
		}
	}
	f.Detail = fmt.Sprintf("%d sockets, all on loopback", len(sockets))
	if len(open) > 0 {
		f.OK, f.Detail, f.Advice = false, "the network reaches port "+strings.Join(open, ", "),
			"`make local-down`, and report this as a bug"
	}
	return f
}

// AWS is the clients' configuration for the stack's LocalStack.
func (s *Stack) AWS(region string) aws.Config {
	return aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(fmt.Sprintf("http://127.0.0.1:%d", s.ports[emulatorName])),
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
	}
}

func (s *Stack) useS3(ctx context.Context) (_ string, err error) {
	client := awsclient.S3(s.AWS("us-east-1")) // the region whose buckets need not name it
	bucket, key, body := aws.String("kindred-doctor"), aws.String("pulse"), []byte("kindred")
	_, err = client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket})
	var mine *types.BucketAlreadyOwnedByYou // left by a doctor that was interrupted
	if err != nil && !errors.As(err, &mine) {
		return "", fmt.Errorf("create bucket: %w", err)
	}
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key,
		Body: bytes.NewReader(body)}); err != nil {
		return "", fmt.Errorf("put object: %w", err)
	}
	object, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
	if err != nil {
		return "", fmt.Errorf("get object: %w", err)
	}
	defer func() { _ = object.Body.Close() }()
	if got, err := io.ReadAll(object.Body); err != nil || !bytes.Equal(got, body) {
		return "", fmt.Errorf("read object: got %d bytes of %d: %w", len(got), len(body), err)
	}
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key}); err != nil {
		return "", fmt.Errorf("delete object: %w", err)
	}
	if _, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket}); err != nil {
		return "", fmt.Errorf("delete bucket: %w", err)
	}
	return "written, read and deleted", nil
}

// useVector also proves that the CPU can run this build: earlier ones died of the first vector
// without AVX-512.
func (s *Stack) useVector(ctx context.Context) (string, error) {
	conn, err := pgx.Connect(ctx, s.postgresDSN(postgresDatabase))
	if err != nil {
		return "", fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx,
		"CREATE TEMPORARY TABLE pulse (v vector(3)); INSERT INTO pulse VALUES ('[1,2,3]')"); err != nil {
		return "", fmt.Errorf("insert vector: %w", err)
	}
	var product float64
	if err := conn.QueryRow(ctx, "SELECT -(v <#> '[4,5,6]') FROM pulse").Scan(&product); err != nil {
		return "", fmt.Errorf("read vector: %w", err)
	}
	if product != 32 { // 1·4 + 2·5 + 3·6
		return "", fmt.Errorf("an inner product is %v, not 32", product)
	}
	return "written, read and multiplied", nil
}

func (s *Stack) useMySQL(ctx context.Context) (string, error) {
	db, err := s.openMySQL()
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(ctx) // temporary tables belong to a connection
	if err != nil {
		return "", fmt.Errorf("connect to MySQL: %w", err)
	}
	defer func() { _ = conn.Close() }()
	const text = "naïve café 🛒"
	if _, err := conn.ExecContext(ctx, "CREATE TEMPORARY TABLE pulse (t VARCHAR(40))"); err != nil {
		return "", fmt.Errorf("create table: %w", err)
	}
	if _, err := conn.ExecContext(ctx, "INSERT INTO pulse VALUES (?)", text); err != nil {
		return "", fmt.Errorf("insert row: %w", err)
	}
	var got string
	if err := conn.QueryRowContext(ctx, "SELECT t FROM pulse").Scan(&got); err != nil {
		return "", fmt.Errorf("read row: %w", err)
	}
	if got != text {
		return "", fmt.Errorf("%q came back as %q", text, got)
	}
	return "written and read, utf8mb4", nil
}

// freeBytes is the room that is left for ordinary users on the disk of a folder, which need not exist yet.
func freeBytes(dir string) (int64, error) {
	var disk unix.Statfs_t
	err := unix.Statfs(dir, &disk)
	for errors.Is(err, unix.ENOENT) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		err = unix.Statfs(dir, &disk)
	}
	if err != nil {
		return 0, fmt.Errorf("look at the disk of %s: %w", dir, err)
	}
	//nolint:unconvert,gosec // Bsize is 32 bits wide on macOS; no disk is larger
	return int64(disk.Bavail) * int64(disk.Bsize), nil
}
