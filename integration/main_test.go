// Package integration meets the real services: LocalStack, PostgreSQL with pgvector, a
// MySQL-protocol server. One file per flow. `go test ./integration` starts containers of its own
// when an engine answers; else it uses the native stack that runs, or starts it and stops it at the
// end. STACK=docker|native forces. A service that is missing fails the tests. What needs Java, Python
// with pip or the right to mount a file system is skipped where that is missing, as NOT TESTED, and
// `make test` says so in capitals. `go test -short` runs nothing here.
package integration

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/program"
	"kindred/localstack/settings"
	"kindred/localstack/stack"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
)

// cleanupTime bounds what a test undoes after its own context has ended, on a busy machine.
const cleanupTime = 2 * time.Minute

// servicesVariable chooses what the tests run against: "environment" is whatever AWS_ENDPOINT_URL,
// PGVECTOR_DSN and MYSQL_DSN name, such as another version of a database. Anything else is what
// stack.Choose says.
const servicesVariable = "KINDRED_SERVICES"

// cleanupContext is for what a test undoes at its end, when its own context has ended.
func cleanupContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), cleanupTime)
}

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("integration tests need services: run `go test ./integration`")
		return
	}
	code := m.Run()
	if err := stopStack(); err != nil {
		fmt.Fprintf(os.Stderr, "stop the stack that the tests started: %v\n", err)
		code = 1
	}
	for _, folder := range []string{functionFolder, compiled.folder} { // "" is no error
		if err := os.RemoveAll(folder); err != nil {
			fmt.Fprintf(os.Stderr, "remove compiled programs: %v\n", err)
		}
	}
	os.Exit(code)
}

// Stack is what the tests reach: clients' configuration, and addresses whose user may create databases.
type Stack struct {
	AWS           aws.Config
	PGVectorDSN   string            // of a role that may create databases
	MySQLAdminDSN string            // of a user that may create databases named kindred_…; names none itself
	Env           map[string]string // what the environment file holds: addresses, names of the AWS resources
	Containers    bool              // the servers and functions run in containers of this test run
	FunctionOS    string            // the operating system that Lambda functions run on
	Host          string            // an address of this machine that the functions reach, for servers of a test's own
}

// shared is the one stack of this test run; stop ends what this run started of it.
var shared struct {
	once  sync.Once
	stack Stack
	err   error
	stop  func(context.Context) error
}

// mustStack returns the running stack, which the first call starts when there is none. It fails the
// test when it cannot.
func mustStack(t *testing.T) Stack {
	t.Helper()
	shared.once.Do(func() { shared.stack, shared.err = findStack() })
	if shared.err != nil {
		t.Fatalf("the stack is not usable: %v", shared.err)
	}
	return shared.stack
}

// upTimeout allows for a first start on a slow network, which downloads 150 MB.
const upTimeout = 15 * time.Minute

// findStack reads where the services are, and starts them when they do not run.
func findStack() (Stack, error) {
	if os.Getenv(servicesVariable) == "environment" {
		env := map[string]string{}
		for _, line := range os.Environ() {
			name, value, _ := strings.Cut(line, "=")
			env[name] = value
		}
		return readStack(env)
	}
	ctx, stop := context.WithTimeout(context.Background(), upTimeout)
	defer stop()
	mode, _, err := stack.Choose(ctx, "")
	if err != nil {
		return Stack{}, err
	}
	if mode == stack.Docker {
		env, host, stop, err := startContainers(ctx)
		shared.stop = stop
		if err != nil {
			return Stack{}, fmt.Errorf("start containers: %w", err)
		}
		s, err := readStack(env)
		s.Containers, s.FunctionOS, s.Host = true, "linux", host
		return s, err
	}
	resources, err := settings.Load()
	if err != nil {
		return Stack{}, err
	}
	local, err := stack.Open(stack.Config{Mode: stack.Native, Resources: resources.Env(),
		Report: stack.Printer(os.Stderr)})
	if err != nil {
		return Stack{}, err
	}
	all, err := local.Status(ctx)
	if err != nil {
		return Stack{}, err
	}
	if !all.Healthy() {
		if all.Stopped() { // a stack that was half up is mended and stays: somebody else started it
			shared.stop = local.Down
		}
		if err := local.Up(ctx); err != nil {
			return Stack{}, err
		}
	}
	env, err := local.ReadEnv()
	if err != nil {
		return Stack{}, err
	}
	return readStack(env)
}

// stopStack ends what this run started.
func stopStack() error {
	if shared.stop == nil {
		return nil
	}
	ctx, stop := context.WithTimeout(context.Background(), 2*cleanupTime)
	defer stop()
	return shared.stop(ctx)
}

func readStack(env map[string]string) (Stack, error) {
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_REGION", "PGVECTOR_DSN", "MYSQL_DSN"} {
		if env[name] == "" {
			return Stack{}, fmt.Errorf("variable %s is empty", name)
		}
	}
	my, err := mysql.ParseDSN(env["MYSQL_DSN"])
	if err != nil {
		return Stack{}, errors.New("MYSQL_DSN is not a go-sql-driver address") // the driver's error may hold the password
	}
	my.DBName, my.ParseTime = "", true
	return Stack{
		AWS: aws.Config{
			Region:       env["AWS_REGION"],
			BaseEndpoint: aws.String(env["AWS_ENDPOINT_URL"]),
			Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
		},
		PGVectorDSN:   env["PGVECTOR_DSN"],
		MySQLAdminDSN: my.FormatDSN(),
		Env:           env,
		FunctionOS:    runtime.GOOS,
		Host:          "127.0.0.1",
	}, nil
}

// mustDatabase makes an empty MySQL database of the test's own and returns its DSN.
func (s Stack) mustDatabase(t *testing.T) string {
	t.Helper()
	name := "kindred_" + randomName()
	admin, err := sql.Open("mysql", s.MySQLAdminDSN)
	if err != nil {
		t.Fatalf("open MySQL: %v", err)
	}
	if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE `"+name+"` CHARACTER SET utf8mb4"); err != nil {
		t.Fatalf("create MySQL database: %v", err)
	}
	t.Cleanup(func() {
		defer admin.Close()
		ctx, stop := cleanupContext()
		defer stop()
		if _, err := admin.ExecContext(ctx, "DROP DATABASE IF EXISTS `"+name+"`"); err != nil {
			t.Errorf("drop MySQL database: %v", err)
		}
	})
	cfg, err := mysql.ParseDSN(s.MySQLAdminDSN)
	if err != nil {
		t.Fatal("parse MySQL address")
	}
	cfg.DBName = name
	return cfg.FormatDSN()
}

// mustVectorDatabase makes a PostgreSQL database of the test's own, with the vector extension, and
// returns its DSN.
func (s Stack) mustVectorDatabase(t *testing.T) string {
	t.Helper()
	name := "kindred_" + randomName()
	execPostgres(t, t.Context(), s.PGVectorDSN, `CREATE DATABASE "`+name+`"`)
	t.Cleanup(func() {
		ctx, stop := cleanupContext()
		defer stop()
		execPostgres(t, ctx, s.PGVectorDSN, `DROP DATABASE IF EXISTS "`+name+`" WITH (FORCE)`)
	})
	u, err := url.Parse(s.PGVectorDSN)
	if err != nil {
		t.Fatal("parse PostgreSQL address")
	}
	u.Path = "/" + name
	execPostgres(t, t.Context(), u.String(), "CREATE EXTENSION vector")
	return u.String()
}

func execPostgres(t *testing.T, ctx context.Context, dsn, statement string) {
	t.Helper()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatalf("connect to PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// mustBucket makes a versioned bucket of the test's own, emptied and deleted at its end.
func (s Stack) mustBucket(t *testing.T) string {
	t.Helper()
	name := "kindred-" + randomName()
	client := awsclient.S3(s.AWS)
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket: &name,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(
			s.AWS.Region)},
	})
	if err != nil {
		t.Fatalf("create bucket: %v", err)
	}
	t.Cleanup(func() {
		ctx, stop := cleanupContext()
		defer stop()
		if err := deleteBucket(ctx, client, name); err != nil {
			t.Errorf("delete bucket: %v", err)
		}
	})
	_, err = client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatalf("version bucket: %v", err)
	}
	return name
}

// deleteBucket deletes every version of every object, then the bucket.
func deleteBucket(ctx context.Context, client *s3.Client, name string) error {
	pages := s3.NewListObjectVersionsPaginator(client, &s3.ListObjectVersionsInput{Bucket: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		var objects []types.ObjectIdentifier
		for _, v := range page.Versions {
			objects = append(objects, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, m := range page.DeleteMarkers {
			objects = append(objects, types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
		}
		if len(objects) == 0 {
			continue
		}
		_, err = client.DeleteObjects(ctx,
			&s3.DeleteObjectsInput{Bucket: &name, Delete: &types.Delete{Objects: objects, Quiet: aws.Bool(true)}})
		if err != nil {
			return err
		}
	}
	_, err := client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name})
	return err
}

// randomName is short, lower case and valid in every service's names.
func randomName() string { return strings.ToLower(rand.Text()[:12]) }

// readResult decodes what a program printed with --json: the result into v, and whether the run was a
// no-op into v's field NoOp, where it has one.
func readResult(printed string, v any) error {
	e, err := program.ReadResult([]byte(printed), v)
	if err != nil {
		return err
	}
	if e.Program == "" || e.Version == "" || e.Run == "" {
		return fmt.Errorf("the envelope is incomplete: %s", printed)
	}
	if into := reflect.ValueOf(v).Elem(); into.Kind() == reflect.Struct && into.FieldByName("NoOp").IsValid() {
		into.FieldByName("NoOp").SetBool(e.NoOp)
	}
	return nil
}
