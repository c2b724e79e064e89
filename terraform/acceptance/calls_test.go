package acceptance

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/go-sql-driver/mysql"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"kindred/internal/lake/fitfile"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/outcome"
	"kindred/internal/platform/artifact"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/awsenv"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/s3object"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
	"kindred/localstack/provision"
	"kindred/localstack/settings"
)

var update = flag.Bool("update", false, "write what TestCalls records to "+callsFile)

// TestCalls runs the programs that run on AWS. Each has an endpoint of its own, which records every
// call and forwards it to LocalStack. The test compares the record with testdata/calls.json, by which
// TestAWSRootOnMoto judges the policies. It needs AWS_ENDPOINT_URL, MYSQL_DSN and PGVECTOR_DSN.
func TestCalls(t *testing.T) {
	endpoint := os.Getenv("AWS_ENDPOINT_URL")
	if endpoint == "" || os.Getenv("MYSQL_DSN") == "" || os.Getenv("PGVECTOR_DSN") == "" {
		t.Fatal("set AWS_ENDPOINT_URL, MYSQL_DSN and PGVECTOR_DSN, as `make tf-calls` does")
	}
	w := mustOpen(t)
	s, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	s = s.WithSuffix("c" + strings.ToLower(rand.Text()[:8]))
	mysqlDSN, pgDSN := mustDatabases(t)
	r := &recorder{settings: s, endpoint: endpoint}
	cfg := aws.Config{Region: s.Region, BaseEndpoint: aws.String(endpoint),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	zips := map[string][]byte{}
	for _, name := range []string{"recommend", "serve"} {
		if zips[name], err = artifact.BuildFunction(t.Context(), w.Repository, name, runtime.GOOS); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		if err := provision.Destroy(ctx, cfg, s); err != nil {
			t.Errorf("destroy: %v", err)
		}
	})
	function := provision.Function{Zip: zips["recommend"], Serve: zips["serve"],
		Env:      map[string]string{"PGVECTOR_DSN": pgDSN, "AWS_ENDPOINT_URL": r.listen(t, "recommend")},
		ServeEnv: map[string]string{"PGVECTOR_DSN": pgDSN, "AWS_ENDPOINT_URL": r.listen(t, "serve")}}
	made, err := provision.Apply(t.Context(), cfg, s, function)
	if err != nil {
		t.Fatal(err)
	}

	jobs := mustJobs(t, w.Repository, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "MYSQL_DSN="+mysqlDSN,
		"PGVECTOR_DSN="+pgDSN)
	for name, value := range s.Env() {
		jobs.env = append(jobs.env, name+"="+value)
	}
	run := func(program, endpoint string, args ...string) {
		t.Helper()
		jobs.mustRun(t, program, endpoint, args...)
	}
	run("seed", endpoint, "generate", "--scale", "0.05")
	jobs.env = append(jobs.env, mustLogin(t, cfg, mysqlDSN)...) // as on AWS: an address, and a secret
	r.erase = mustSecret(t, cfg, rand.Text())
	jobs.env = append(jobs.env, "ERASE_SECRET=", "ERASE_SECRET_ARN="+r.erase)
	// as jobs/etl/glue/launcher.py runs it; the second changes nothing and is deleted
	for _, job := range []string{"glue", "again"} {
		run("etl", r.listen(t, "etl"), "plan", "--job", job, "--partitions", "2")
		for _, part := range []string{"0/2", "1/2"} {
			run("etl", r.listen(t, "etl"), "--job", job, "--partition", part)
		}
		run("etl", r.listen(t, "etl"), "commit-parts", "--job", job)
	}
	for range 2 { // the second time finds what the first one left
		run("etl", r.listen(t, "etl"))
		run("train", r.listen(t, "train"))
		run("publish", r.listen(t, "publish"))
	}
	run("train", r.listen(t, "train-spark"), "export", "--method", "a test") // as jobs/train/spark/als.py runs it
	run("train", r.listen(t, "train-spark"), "import", "--attempt", "one", "--export",
		mustFit(t, cfg, s.Buckets.Artifacts.Name, "one"))
	mustOutcomes(t, cfg, s.Buckets.Lake.Name)
	jobs.mustExperiment(t, r.listen(t, "publish"))
	sent := mustSend(t, cfg, s.Stream.Name)
	mustAnswer(t, r, made.ServeURL)
	run("verify", r.listen(t, "verify"))
	mustGiveUp(t, s, sent)
	run("verify", r.listen(t, "verify"), "redrive")
	run("rollup", r.listen(t, "rollup"))
	run("erase", r.listen(t, "erase"), "1", "103") // of the clicks, and of the shop
	mustBeRecorded(t, r.all())
}

// mustSend sends what is no event, and then a click, whose place it returns.
func mustSend(t *testing.T, cfg aws.Config, stream string) (sent *kinesis.PutRecordOutput) {
	t.Helper()
	for _, data := range []string{`no event`, clicked} {
		var err error
		if sent, err = kinesis.NewFromConfig(cfg).PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: &stream,
			PartitionKey: aws.String("a"), Data: []byte(data)}); err != nil {
			t.Fatal(err)
		}
	}
	return sent
}

// mustAnswer waits until both functions have answered and read the live version, and serve has passed events on. The
// emulator goes by the host in serve's URL.
func mustAnswer(t *testing.T, r *recorder, serve string) {
	t.Helper()
	address, err := url.Parse(serve)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(5 * time.Minute) // enough on a busy machine
	for !r.has("recommend", "firehose:PutRecordBatch", "s3:PutObject", "s3:GetObject") ||
		!r.has("serve", "firehose:PutRecordBatch", "s3:GetObject", "kinesis:PutRecords") {
		if time.Now().After(deadline) {
			t.Fatalf("the functions made %v only", r.all())
		}
		for _, request := range []struct {
			method, path, body string
			status             int
		}{{http.MethodGet, "/customers/1/recommendations", "", http.StatusOK},
			{http.MethodPost, "/events", viewed, http.StatusAccepted}} {
			ask, err := http.NewRequestWithContext(t.Context(), request.method, r.endpoint+request.path,
				strings.NewReader(request.body))
			if err != nil {
				t.Fatal(err)
			}
			ask.Host = address.Host
			ask.Header.Set("Content-Type", "application/json")
			answer, err := http.DefaultClient.Do(ask)
			if err != nil {
				t.Fatal(err)
			}
			if err := answer.Body.Close(); err != nil || answer.StatusCode != request.status {
				t.Fatalf("%s %s: serve answers %s, %v", request.method, request.path, answer.Status, err)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// mustBeRecorded compares calls with the file. -update rewrites the file.
func mustBeRecorded(t *testing.T, got []call) {
	t.Helper()
	if *update {
		data, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(callsFile, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := gocmp.Diff(mustCalls(t), got); diff != "" {
		t.Errorf("calls differ from %s (-update writes it):\n%s", callsFile, diff)
	}
}

// jobs are the compiled programs and their environment.
type jobs struct {
	folder string
	env    []string
}

// mustJobs compiles the programs. Those that run on AWS are compiled as for a package, with its build
// tags: elsewhere train also reads the truth that seed planted.
func mustJobs(t *testing.T, repository string, env ...string) *jobs {
	t.Helper()
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", folder+"/", "./jobs/seed", "./jobs/verify")
	build.Dir = repository
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, name := range []string{"etl", "train", "publish", "rollup", "erase"} {
		program, err := artifact.Compile(t.Context(), repository, "./jobs/"+name, runtime.GOOS, runtime.GOARCH)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), program, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return &jobs{folder, append(os.Environ(), env...)}
}

// mustRun runs a program against an endpoint.
func (j *jobs) mustRun(t *testing.T, program, endpoint string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(j.folder, program), args...)
	cmd.Env = append(slices.Clone(j.env), "AWS_ENDPOINT_URL="+endpoint)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

// mustExperiment starts an experiment, and decides it as the schedule does.
func (j *jobs) mustExperiment(t *testing.T, endpoint string) {
	t.Helper()
	for _, args := range []string{"start --experiment calls --force --reason test", "decide"} {
		j.mustRun(t, "publish", endpoint, append([]string{"experiment"}, strings.Fields(args)...)...)
	}
}

// mustFit stands for Spark: it gives every part of the only export the same few vectors. It returns the
// version that they are for.
func mustFit(t *testing.T, cfg aws.Config, bucket, attempt string) (version string) {
	t.Helper()
	store := objectstore.NewS3(awsclient.S3(cfg), bucket, "")
	folders := map[string]bool{}
	for info, err := range store.List(t.Context(), envconfig.FitsPrefix+"/run=") {
		if err != nil {
			t.Fatal(err)
		}
		if folder, part := path.Split(path.Dir(info.Key)); path.Ext(info.Key) == ".parquet" && part != fitfile.Questions {
			version = strings.TrimPrefix(path.Base(folder), "run=")
			folders[folder+"attempt="+attempt+"/"+part+"/"] = true
		}
	}
	for folder := range folders {
		for _, name := range []string{fitfile.Products + "/part.csv", fitfile.Products + "/_SUCCESS"} {
			if _, err := store.Put(t.Context(), folder+name, strings.NewReader("0,\"[1, 2]\"\n1,\"[2, 1]\"\n"), 22,
				objectstore.Condition{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return version
}

// mustOutcomes stands for feedback: it writes that nobody was seen.
func mustOutcomes(t *testing.T, cfg aws.Config, bucket string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, outcome.File), []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := outcome.Commit(t.Context(), objectstore.NewS3(awsclient.S3(cfg), bucket, ""), dir); err != nil {
		t.Fatal(err)
	}
}

// clicked is a valid event.
const clicked = `{"session_id":"a","customer_number":1,"browse_history":[]}`

// viewed is an event that serve passes on.
const viewed = `{"type":"interaction","event_id":"viewed","kind":"view","session_id":"b","product_code":"1"}`

// mustGiveUp writes the clicked event where an outage would have left it: to the quarantine, and to
// the mapping's failed batches.
func mustGiveUp(t *testing.T, s settings.Settings, at *kinesis.PutRecordOutput) {
	t.Helper()
	env, err := awsenv.Load(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := s3object.New(env, s.Buckets.Recommendations.Name)
	if err != nil {
		t.Fatal(err)
	}
	position := activity.Position{Stream: s.Stream.Name, Shard: *at.ShardId, SequenceNumber: *at.SequenceNumber,
		PartitionKey: "a", ArrivedAt: time.Now()}
	if err := deadletter.NewQuarantine(bucket).Write(t.Context(),
		activity.Quarantined{Reason: activity.ReasonRefused, Position: position, Data: []byte(clicked)}); err != nil {
		t.Fatal(err)
	}
	batch, err := json.Marshal(map[string]any{
		"KinesisBatchInfo": map[string]any{
			"streamArn": "arn:aws:kinesis:" + s.Region + ":" + s.AccountID + ":stream/" +
				s.Stream.Name, "shardId": position.Shard,
			"startSequenceNumber": position.SequenceNumber, "endSequenceNumber": position.SequenceNumber,
		},
		"payload": map[string]any{"Records": []any{map[string]any{"kinesis": map[string]any{
			"sequenceNumber": position.SequenceNumber, "partitionKey": position.PartitionKey, "data": []byte(clicked),
		}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := bucket.PutNew(t.Context(), envconfig.FailurePrefix+"batch", batch); err != nil {
		t.Fatal(err)
	}
}

// recorder records the calls of each program.
type recorder struct {
	settings settings.Settings
	endpoint string
	erase    string // ARN of the secret of the erased persons
	mu       sync.Mutex
	calls    []call
}

// listen starts an endpoint that records calls as the program's.
func (r *recorder) listen(t *testing.T, program string) string {
	t.Helper()
	target, err := url.Parse(r.endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(target)
		p.Out.Host = p.In.Host
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.note(program, q)
		proxy.ServeHTTP(w, q)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func (r *recorder) note(program string, q *http.Request) {
	c := call{Program: program, Action: "unknown:" + q.Method, Resource: q.URL.Path}
	_, scope, _ := strings.Cut(q.Header.Get("Authorization"), "Credential=") // key/date/region/service/aws4_request
	if parts := strings.Split(scope, "/"); len(parts) > 3 {
		c.Action = parts[3] + ":" + q.Method
	}
	_, operation, isJSON := strings.Cut(q.Header.Get("X-Amz-Target"), ".")
	switch {
	case isJSON:
		service, _, _ := strings.Cut(c.Action, ":")
		c.Action, c.Resource = service+":"+operation, r.named(q)
	case strings.HasPrefix(c.Action, "s3:"):
		c.Action, c.Resource = r.object(q)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.calls, c) {
		r.calls = append(r.calls, c)
	}
}

// named returns the stream that a JSON request names, without the test's suffix and the project's
// name. For a secret it returns its purpose.
func (r *recorder) named(q *http.Request) string {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return "unreadable"
	}
	q.Body = io.NopCloser(strings.NewReader(string(body)))
	var names struct{ StreamName, DeliveryStreamName, SecretID, ShardIterator string }
	_ = json.Unmarshal(body, &names) // any other body names none of them
	switch {
	case names.SecretID != "" && names.SecretID == r.erase:
		return "erased persons"
	case names.SecretID != "":
		return "source database's login"
	case names.ShardIterator != "": // there is only one stream
		names.StreamName = r.settings.Stream.Name
	}
	_, suffix, _ := strings.Cut(r.settings.Stream.Name, "kindred-activity")
	return strings.TrimPrefix(strings.TrimSuffix(cmp.Or(names.StreamName, names.DeliveryStreamName), suffix), "kindred-")
}

// object returns the action and the resource of a request to S3. The bucket is named by its role, the
// key by its first folder and whether it belongs to a run.
func (r *recorder) object(q *http.Request) (action, resource string) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(q.URL.Path, "/"), "/")
	roles := map[string]string{r.settings.Buckets.Lake.Name: "lake", r.settings.Buckets.Artifacts.Name: "artifacts",
		r.settings.Buckets.Recommendations.Name: "recommendations"}
	resource = cmp.Or(roles[bucket], bucket)
	query := q.URL.Query()
	switch {
	case key == "" && query.Has("versions"):
		return "s3:ListBucketVersions", resource
	case key == "":
		return map[string]string{http.MethodGet: "s3:ListBucket", http.MethodHead: "s3:ListBucket"}[q.Method], resource
	}
	version := ""
	if query.Has("versionId") {
		version = "Version"
	}
	folder, rest, _ := strings.Cut(key, "/")
	if strings.HasPrefix(key, envconfig.FailurePrefix) {
		folder = strings.TrimSuffix(envconfig.FailurePrefix, "/") // it has two parts
	}
	resource += "/" + folder + "/"
	if strings.HasPrefix(rest, "run=") {
		resource += "run=/"
	}
	switch q.Method {
	case http.MethodGet, http.MethodHead:
		return "s3:GetObject" + version, resource
	case http.MethodDelete:
		return "s3:DeleteObject" + version, resource
	default:
		return "s3:PutObject", resource
	}
}

func (r *recorder) has(program string, actions ...string) bool {
	made := r.all()
	return !slices.ContainsFunc(actions, func(action string) bool {
		return !slices.ContainsFunc(made, func(c call) bool { return c.Program == program && c.Action == action })
	})
}

// all returns the calls, sorted.
func (r *recorder) all() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(slices.Values(r.calls), func(a, b call) int {
		return cmp.Or(cmp.Compare(a.Program, b.Program), cmp.Compare(a.Action, b.Action), cmp.Compare(a.Resource, b.Resource))
	})
}

// mustLogin writes the DSN's login to a secret, as RDS does, until the test ends. It returns the
// environment that etl then needs.
func mustLogin(t *testing.T, cfg aws.Config, dsn string) []string {
	t.Helper()
	address, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal("MYSQL_DSN is not a valid DSN")
	}
	value, err := json.Marshal(map[string]string{"username": address.User, "password": address.Passwd})
	if err != nil {
		t.Fatal(err)
	}
	secret := mustSecret(t, cfg, string(value))
	address.User, address.Passwd = "", ""
	return []string{"MYSQL_DSN=" + address.FormatDSN(), "MYSQL_SECRET_ARN=" + secret}
}

// mustSecret keeps a text in Secrets Manager until the test ends.
func mustSecret(t *testing.T, cfg aws.Config, value string) (arn string) {
	t.Helper()
	client := secretsmanager.NewFromConfig(cfg)
	secret, err := client.CreateSecret(t.Context(),
		&secretsmanager.CreateSecretInput{Name: aws.String("kindred-" + rand.Text()), SecretString: &value})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		if _, err := client.DeleteSecret(ctx,
			&secretsmanager.DeleteSecretInput{SecretId: secret.ARN, ForceDeleteWithoutRecovery: aws.Bool(true)}); err != nil {
			t.Errorf("delete the secret: %v", err)
		}
	})
	return *secret.ARN
}

// mustDatabases creates an empty MySQL and an empty PostgreSQL database. The end of the test drops them.
func mustDatabases(t *testing.T) (mysqlDSN, pgDSN string) {
	t.Helper()
	name := "kindred_" + strings.ToLower(rand.Text()[:10])
	cfg, err := mysql.ParseDSN(os.Getenv("MYSQL_DSN"))
	if err != nil {
		t.Fatal("MYSQL_DSN is not a valid DSN")
	}
	cfg.DBName = ""
	admin, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	pg, err := pgx.Connect(t.Context(), os.Getenv("PGVECTOR_DSN"))
	if err != nil {
		t.Fatal("PGVECTOR_DSN does not answer")
	}
	for _, statement := range []string{"CREATE DATABASE " + name} { // the same words in both
		if _, err := admin.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		if _, err := pg.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		_, myErr := admin.ExecContext(ctx, "DROP DATABASE "+name)
		_, pgErr := pg.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		if err := cmp.Or(myErr, pgErr, admin.Close(), pg.Close(ctx)); err != nil {
			t.Errorf("drop the databases: %v", err)
		}
	})
	cfg.DBName, cfg.ParseTime = name, true
	u, err := url.Parse(os.Getenv("PGVECTOR_DSN"))
	if err != nil {
		t.Fatal("PGVECTOR_DSN is no URL")
	}
	u.Path = "/" + name
	own, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal("the new PostgreSQL database does not answer")
	}
	defer own.Close(t.Context())
	if _, err := own.Exec(t.Context(), "CREATE EXTENSION vector"); err != nil {
		t.Fatal(err)
	}
	return cfg.FormatDSN(), u.String()
}
