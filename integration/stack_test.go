package integration

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"kindred/internal/platform/artifact"
	"kindred/internal/platform/awsclient"
	"kindred/localstack/stack"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
)

func TestStackGivesEachTestItsOwn(t *testing.T) {
	t.Parallel()
	s := mustStack(t)
	ctx := t.Context()

	db, err := sql.Open("mysql", s.mustDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var charset, name string
	if err := db.QueryRowContext(ctx, "SELECT @@character_set_database, DATABASE()").Scan(&charset, &name); err != nil {
		t.Fatal(err)
	}
	if charset != "utf8mb4" || !strings.HasPrefix(name, "kindred_") {
		t.Errorf("database %q has character set %q", name, charset)
	}

	execPostgres(t, ctx, s.mustVectorDatabase(t), "SELECT '[1,2,3]'::vector <=> '[3,2,1]'::vector")

	bucket, client := s.mustBucket(t), awsclient.S3(s.AWS)
	key := "greeting"
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key,
		Body: strings.NewReader("hello")}); err != nil {
		t.Fatal(err)
	}
	object, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	if body, err := io.ReadAll(object.Body); err != nil || string(body) != "hello" {
		t.Errorf("read %q, %v", body, err)
	}
}

// TestOwnStack starts and stops a stack of its own, in the same mode as the other tests' stack.
func TestOwnStack(t *testing.T) {
	t.Parallel()
	if mustStack(t).Containers {
		newOwnStack(t, stack.Docker).testDocker(t)
		return
	}
	newOwnStack(t, stack.Native).testNative(t)
}

// testRunning is what holds in both modes while the stack is up.
func (n ownStack) testRunning(t *testing.T, first stack.Statuses) {
	t.Run("the doctor is content", func(t *testing.T) {
		findings, err := n.stack.Doctor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			if !f.OK {
				t.Errorf("%s: %s; %s", f.Check, f.Detail, f.Advice)
			}
		}
	})
	t.Run("nobody else reads a password", n.testPasswords)
	t.Run("listens on loopback only", func(t *testing.T) {
		sockets, err := n.stack.OpenSockets(first)
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range first {
			if _, ok := sockets[st.Port]; !ok {
				t.Errorf("%s listens on no port %d", st.Part, st.Port)
			}
		}
		for port, loopback := range sockets {
			if !loopback {
				t.Errorf("the network reaches port %d", port)
			}
		}
	})
	t.Run("a second up changes nothing", func(t *testing.T) {
		for i, st := range n.mustUp(t) {
			if st.PID != first[i].PID || !st.Started.Equal(first[i].Started) {
				t.Errorf("%s: process %d became %d", st.Part, first[i].PID, st.PID)
			}
		}
	})
}

// testPasswords looks for the databases' passwords in every file of the state folder. Those that hold
// one must belong to this user and be closed to all others, also to daemons that run as nobody.
func (n ownStack) testPasswords(t *testing.T) {
	env, err := n.stack.ReadEnv()
	if err != nil {
		t.Fatal(err)
	}
	shop, err := mysql.ParseDSN(env["MYSQL_DSN"])
	if err != nil {
		t.Fatal("parse MySQL address")
	}
	passwords := []string{shop.Passwd}
	for _, name := range []string{"PGVECTOR_DSN", "PGVECTOR_READER_DSN", "PGVECTOR_WRITER_DSN"} {
		u, err := url.Parse(env[name])
		if err != nil {
			t.Fatal("parse PostgreSQL address")
		}
		password, _ := u.User.Password()
		passwords = append(passwords, password)
	}
	found := 0
	err = filepath.WalkDir(n.state, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && path == filepath.Join(n.state, "data") { // the servers' own
			return cmp.Or(err, fs.SkipDir)
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(passwords, func(p string) bool { return p != "" && bytes.Contains(content, []byte(p)) }) {
			return nil
		}
		found++
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Geteuid() || info.Mode()&0o077 != 0 {
			t.Errorf("%s holds a password, belongs to user %d and has mode %v", path, owner, info.Mode())
		}
		return nil
	})
	if err != nil || found == 0 {
		t.Errorf("%d files hold a password: %v", found, err)
	}
}

// testNative lives through processes. Only the installed programs are shared with other stacks. The
// state folder is closed to other users, as /root is, which the databases must bear when root
// starts them.
func (n ownStack) testNative(t *testing.T) {
	first := n.mustUp(t)
	n.testRunning(t, first)
	t.Run("large objects stay in the state folder", n.testLargeObject)
	t.Run("LocalStack restarted with its state gone accounts for all that it then accepts", n.testStateGone)
	first = n.mustUp(t)
	n.keepRows(t)
	n.startFunction(t)
	if runtime.GOOS == "linux" { // elsewhere nothing tells whose connection it is
		t.Run("another user of this machine gets nothing", n.testStranger)
	}

	t.Run("up mends what was killed", func(t *testing.T) {
		for _, st := range first {
			if err := syscall.Kill(st.PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		for i, st := range n.mustUp(t) {
			if st.PID == first[i].PID {
				t.Errorf("%s was killed and has the same process", st.Part)
			}
		}
		n.checkRows(t)
		for _, pid := range n.stack.Remaining() {
			if name, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm")); err == nil &&
				string(name) == "sleep\n" {
				t.Error("the function's process outlived the LocalStack that was killed")
			}
		}
	})
	t.Run("down leaves no process", func(t *testing.T) {
		n.startFunction(t)
		if err := n.stack.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := n.stack.Remaining(); len(left) > 0 {
			t.Errorf("processes %v are left", left)
		}
		all, err := n.stack.Status(t.Context())
		if err != nil || !all.Stopped() {
			t.Errorf("status after down: %+v, %v", all, err)
		}
	})
	t.Run("a taken port is named with the variable that changes it", func(t *testing.T) {
		taken, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(n.ports.MySQL))
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		err = n.stack.Up(t.Context())
		var refused *stack.PortTakenError
		if !errors.As(err, &refused) || refused.Port != n.ports.MySQL || refused.Variable != "KINDRED_MYSQL_PORT" {
			t.Fatalf("up says %v", err)
		}
		if left := n.stack.Remaining(); len(left) > 0 {
			t.Errorf("processes %v were started in vain", left)
		}
	})
	t.Run("reset deletes the data and no program", func(t *testing.T) {
		if err := n.stack.Reset(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(n.stack.State(), "data")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("data are left: %v", err)
		}
		if _, err := os.Stat(filepath.Join(n.stack.Runtimes(), "opt")); err != nil {
			t.Error(err)
		}
	})
}

// ownStack is a stack of one test's own.
type ownStack struct {
	stack *stack.Stack
	ports stack.Ports
	state string // the state folder
}

func newOwnStack(t *testing.T, mode string) ownStack {
	t.Helper()
	usual, err := stack.Open(stack.Config{})
	if err != nil {
		t.Fatal(err)
	}
	n := ownStack{ports: stack.Ports{LocalStack: freePort(t), PGVector: freePort(t), MySQL: freePort(t)}}
	state := filepath.Join(t.TempDir(), "closed", "state")
	if err := os.Mkdir(filepath.Dir(state), 0o700); err != nil {
		t.Fatal(err)
	}
	n.state = state
	n.stack, err = stack.Open(stack.Config{Mode: mode, State: state, Runtimes: usual.Runtimes(), Ports: n.ports})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := cleanupContext()
		defer stop()
		if err := n.stack.Reset(ctx, false); err != nil {
			t.Errorf("remove the test's stack: %v", err)
		}
	})
	return n
}

// mustUp starts the stack and returns what runs, all of it healthy.
func (n ownStack) mustUp(t *testing.T) stack.Statuses {
	t.Helper()
	if err := n.stack.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := n.stack.Status(t.Context())
	if err != nil || !all.Healthy() {
		t.Fatalf("status after up: %+v, %v", all, err)
	}
	return all
}

// testLargeObject: LocalStack keeps objects above half a megabyte in files, by default in a folder
// that all stacks share.
func (n ownStack) testLargeObject(t *testing.T) {
	client := awsclient.S3(n.stack.AWS("eu-west-1"))
	bucket, key := "kindred-large", "object"
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: &bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.NewReader(make([]byte, 2<<20))
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: body}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(n.stack.State(), "data/localstack/tmp/s3-objects", bucket)); err != nil {
		t.Error(err)
	}
}

func (n ownStack) databases(t *testing.T) (*pgx.Conn, *sql.DB) {
	t.Helper()
	env, err := n.stack.ReadEnv()
	if err != nil {
		t.Fatal(err)
	}
	vectors, err := pgx.Connect(t.Context(), env["PGVECTOR_DSN"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { vectors.Close(context.Background()) })
	shop, err := sql.Open("mysql", env["MYSQL_DSN"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shop.Close() })
	return vectors, shop
}

func (n ownStack) keepRows(t *testing.T) {
	t.Helper()
	vectors, shop := n.databases(t)
	if _, err := vectors.Exec(t.Context(),
		"CREATE TABLE kept (v vector(2)); INSERT INTO kept VALUES ('[1,2]')"); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"CREATE TABLE kept (n INT)", "INSERT INTO kept VALUES (7)"} {
		if _, err := shop.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

func (n ownStack) checkRows(t *testing.T) {
	t.Helper()
	vectors, shop := n.databases(t)
	var distance float64
	if err := vectors.QueryRow(t.Context(), "SELECT v <-> '[1,2]' FROM kept").Scan(&distance); err != nil ||
		distance != 0 {
		t.Errorf("the vector is gone: %v, %v", distance, err)
	}
	var number int
	if err := shop.QueryRowContext(t.Context(), "SELECT n FROM kept").Scan(&number); err != nil || number != 7 {
		t.Errorf("the row is gone: %v, %v", number, err)
	}
}

// startFunction starts a function that never answers, and returns when its process runs.
func (n ownStack) startFunction(t *testing.T) {
	t.Helper()
	zip, err := artifact.Pack([]byte("#!/bin/sh\nexec sleep 300\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	client := lambda.NewFromConfig(n.stack.AWS("eu-west-1"))
	name := aws.String("sleeper-" + randomName())
	_, err = client.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: name, Runtime: lambdatypes.RuntimeProvidedal2023, Handler: aws.String("bootstrap"),
		Role: aws.String("arn:aws:iam::000000000000:role/any"), Code: &lambdatypes.FunctionCode{ZipFile: zip},
	})
	if err != nil {
		t.Fatal(err)
	}
	active := lambda.NewFunctionActiveV2Waiter(client,
		func(o *lambda.FunctionActiveV2WaiterOptions) { o.MinDelay = 50 * time.Millisecond })
	if err := active.Wait(t.Context(), &lambda.GetFunctionInput{FunctionName: name}, cleanupTime); err != nil {
		t.Fatal(err)
	}
	_, err = client.Invoke(t.Context(),
		&lambda.InvokeInput{FunctionName: name, InvocationType: lambdatypes.InvocationTypeEvent})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), cleanupTime)
	defer stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		all, err := n.stack.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(all[0].Processes) > 1 { // LocalStack and the function
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal("the function did not start")
		case <-tick.C:
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := unusedPort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func unusedPort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
