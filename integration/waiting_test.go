package integration

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgxpool"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/serving/vectorstore"
)

const (
	// endTime is how long a program may take that waits in vain by the short limits, on a busy machine.
	// With a wait without end it would be over.
	endTime = 4 * time.Minute
	// signalTime is how long a program may take to end on SIGTERM, on a busy machine. None of the limits
	// without the short ones is as short, nor are three of the shortest.
	signalTime = 20 * time.Second
)

var allWaits = flag.Bool("all-waits", false,
	"let every service stop in the middle of every program, not of one or two")

// shortLimits let tests wait in vain for seconds.
var shortLimits = []string{"WAIT_CONNECT=2s", "WAIT_ANSWER=1s", "WAIT_STATEMENT=2s"}

// waitCase is a program and a service that it depends on.
type waitCase struct {
	program string
	args    []string
	service string // S3, Kinesis, …
	secret  bool   // the shop's login is in a secret
	midWay  bool   // the service stops mid-way too, without -all-waits
}

var waitCases = []waitCase{
	{"seed", []string{"import", filepath.Join("..", "testdata", "import", "csv")}, "MySQL", false, false},
	{"seed", []string{"import", filepath.Join("..", "testdata", "import", "csv")}, "S3", false, false},
	{"etl", nil, "MySQL", false, true},
	{"etl", nil, "S3", false, true},
	{"etl", nil, "Secrets Manager", true, true},
	{"train", nil, "S3", false, false},
	{"publish", nil, "S3", false, false},
	{"publish", nil, "PostgreSQL", false, true},
	{"feedback", nil, "S3", false, false},
	{"verify", []string{"--wait", "0s"}, "Kinesis", false, true},
	{"verify", []string{"--wait", "0s"}, "S3", false, false},
	{"verify", []string{"--wait", "0s"}, "PostgreSQL", false, false},
	{"replay", []string{"--events", "50", "--rate", "0"}, "Kinesis", false, false},
	{"replay", []string{"--events", "50", "--rate", "0"}, "S3", false, false},
}

// waitBench is a shop, a lake, a model and a stream, so that every program has work.
type waitBench struct {
	stack    Stack
	programs programs
	env      map[string]string
	secret   string // holds the whole DSN
}

func mustWaitBench(t *testing.T) *waitBench {
	t.Helper()
	b := &waitBench{stack: mustStack(t)}
	bucket, stream := b.stack.mustBucket(t), "kindred-"+randomName()
	b.env = map[string]string{
		"AWS_ENDPOINT_URL": *b.stack.AWS.BaseEndpoint, "AWS_REGION": b.stack.AWS.Region, "AWS_ACCESS_KEY_ID": "test",
		"AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true", "ACTIVITY_STREAM": stream,
		"LAKE_BUCKET": "s3://" + bucket + "/lake", "ARTIFACTS_BUCKET": "s3://" + bucket + "/artifacts",
		"RECOMMENDATIONS_BUCKET": "s3://" + bucket + "/recommendations", "MYSQL_DSN": b.stack.mustDatabase(t),
		"PGVECTOR_DSN": b.stack.mustVectorDatabase(t), "MYSQL_SECRET_ARN": "", "ETL_MAPPING": "",
	}
	b.secret = mustSecret(t, b.stack, b.env["MYSQL_DSN"])
	client := kinesis.NewFromConfig(b.stack.AWS)
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &stream,
		ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := cleanupContext()
		defer stop()
		if _, err := client.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: &stream}); err != nil {
			t.Errorf("delete stream: %v", err)
		}
	})
	if err := kinesis.NewStreamExistsWaiter(client).Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: &stream},
		cleanupTime); err != nil {
		t.Fatal(err)
	}
	told := toldVisits(t)
	store := objectstore.NewS3(awsclient.S3(b.stack.AWS), bucket, "recommendations")
	if _, err := store.Put(t.Context(), envconfig.RecommendationPrefix+"2026/03/01/00/told",
		bytes.NewReader(told.records.Bytes()), int64(told.records.Len()), objectstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	b.programs = mustPrograms(t, b.env)
	b.programs.mustRun(t, nil, "seed", "generate", "--scale", "0.2")
	b.programs.mustRun(t, nil, "etl")
	b.programs.mustRun(t, nil, "train")
	b.programs.mustRun(t, nil, "publish")
	b.programs.mustRun(t, nil, "replay", "--events", "50", "--rate", "0")
	return b
}

// command is a case's program with work to do, whose service is reached at address; "" is the service
// itself. It returns the service's own address too.
func (b *waitBench) command(t *testing.T, c waitCase, address string) (cmd *exec.Cmd, service string) {
	t.Helper()
	env := maps.Clone(b.env)
	fresh := randomName()
	switch c.program { // whose work would be done already
	case "seed":
		env["MYSQL_DSN"], env["LAKE_BUCKET"] = b.stack.mustDatabase(t), env["LAKE_BUCKET"]+fresh
	case "etl", "feedback":
		env["LAKE_BUCKET"] += fresh
	case "train":
		env["ARTIFACTS_BUCKET"] += fresh
	case "publish":
		env["PGVECTOR_DSN"] = b.stack.mustVectorDatabase(t)
	}
	if c.secret {
		env["MYSQL_DSN"], env["MYSQL_SECRET_ARN"] = "", b.secret
	}
	switch c.service {
	case "MySQL":
		cfg, err := mysql.ParseDSN(env["MYSQL_DSN"])
		if err != nil {
			t.Fatal("parse MySQL address")
		}
		service = cfg.Addr
		if address != "" {
			cfg.Addr = address
		}
		env["MYSQL_DSN"] = cfg.FormatDSN()
	case "PostgreSQL":
		u, err := url.Parse(env["PGVECTOR_DSN"])
		if err != nil {
			t.Fatal("parse PostgreSQL address")
		}
		service = u.Host
		if address != "" {
			u.Host = address
		}
		env["PGVECTOR_DSN"] = u.String()
	default:
		u, err := url.Parse(env["AWS_ENDPOINT_URL"])
		if err != nil {
			t.Fatal(err)
		}
		service = u.Host
		if address != "" {
			env["AWS_ENDPOINT_URL_"+strings.ToUpper(strings.ReplaceAll(c.service, " ", "_"))] = "http://" + address
		}
	}
	cmd = exec.Command(filepath.Join(b.programs.folder, c.program), c.args...)
	cmd.Env = os.Environ()
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd, service
}

// TestEveryWaitEnds lets each service of each program stop: it accepts no connection; it accepts one
// and answers nothing; for one or two programs a service (all with -all-waits), it stops in the middle
// of its answers. The program ends, and says what it waited for. Without the short limits, SIGTERM
// ends it in seconds.
func TestEveryWaitEnds(t *testing.T) {
	t.Parallel()
	b := mustWaitBench(t)
	for _, c := range waitCases {
		t.Run(c.program+" and "+c.service, func(t *testing.T) {
			t.Parallel()
			_, service := b.command(t, c, "")
			t.Run("connect", func(t *testing.T) {
				b.wantEnd(t, c, mustBlackHole(t), "accepted no connection")
			})
			t.Run("first byte", func(t *testing.T) {
				b.wantEnd(t, c, mustHanging(t, service, 0).address(), "")
			})
			if !c.midWay && !*allWaits {
				return
			}
			half := b.mustSay(t, c, service) / 2
			t.Run("mid-way", func(t *testing.T) { b.wantEnd(t, c, mustHanging(t, service, half).address(), "") })
			t.Run("signal", func(t *testing.T) { b.wantSignalEnd(t, c, mustHanging(t, service, half)) })
		})
	}
	t.Run("serve and PostgreSQL", func(t *testing.T) { t.Parallel(); b.serveEnds(t) })
	t.Run("recommend", func(t *testing.T) { t.Parallel(); b.recommendEnds(t) })
}

// mustSay returns how many bytes a service says to a program that does all its work.
func (b *waitBench) mustSay(t *testing.T, c waitCase, service string) int64 {
	t.Helper()
	whole := mustHanging(t, service, noEnd)
	cmd, _ := b.command(t, c, whole.address())
	out, err := cmd.CombinedOutput()
	if c.program != "verify" && c.program != "feedback" && err != nil { // not all is answered; DuckDB may be missing
		t.Fatalf("%s with all its services: %v\n%s", c.program, err, out)
	}
	const few = 64
	if whole.said.Load() < few {
		t.Fatalf("%s said %d bytes to %s: it has no part in this", c.service, whole.said.Load(), c.program)
	}
	return whole.said.Load()
}

// wantEnd runs a program by the short limits against a service that stops.
func (b *waitBench) wantEnd(t *testing.T, c waitCase, address, said string) {
	t.Helper()
	cmd, _ := b.command(t, c, address)
	cmd.Env = append(cmd.Env, shortLimits...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err := mustEndWithin(t, cmd, endTime)
	sentence := stderr.String()
	if err == nil && c.service != "PostgreSQL" || !strings.Contains(sentence, "waited ") ||
		!strings.Contains(sentence, " for "+address+": it ") || !strings.Contains(sentence, said) {
		t.Errorf("%v, and it says:\n%s\nwant what it waited for", err, sentence)
	}
}

// wantSignalEnd sends SIGTERM to a program that waits in vain by its own limits.
func (b *waitBench) wantSignalEnd(t *testing.T, c waitCase, h *hanging) {
	t.Helper()
	cmd, _ := b.command(t, c, h.address())
	cmd.Env = append(cmd.Env, "WAIT_CONNECT=10m", "WAIT_ANSWER=10m", "WAIT_STATEMENT=10m")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for h.budget.Load() > 0 {
		select {
		case err := <-ended:
			t.Fatalf("it ended before its service stopped: %v\n%s", err, &stderr)
		case <-time.After(20 * time.Millisecond):
		}
	}
	told := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
		t.Logf("it ended %v after the signal", time.Since(told).Round(time.Millisecond))
	case <-time.After(signalTime):
		_ = cmd.Process.Kill()
		<-ended
		t.Errorf("it did not end within %v of SIGTERM\n%s", signalTime, &stderr)
	}
}

// mustEndWithin waits for a process, and kills it when it does not end.
func mustEndWithin(t *testing.T, cmd *exec.Cmd, limit time.Duration) error {
	t.Helper()
	late := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !late.Stop() {
		t.Errorf("%s did not end within %v", filepath.Base(cmd.Path), limit)
	}
	return err
}

// serveEnds: the interface answers 503 in time and stays up, and SIGTERM ends it.
func (b *waitBench) serveEnds(t *testing.T) {
	for name, address := range map[string]func(t *testing.T, service string) string{
		"connect":    func(t *testing.T, _ string) string { return mustBlackHole(t) },
		"first byte": func(t *testing.T, service string) string { return mustHanging(t, service, 0).address() },
		"mid-way":    func(t *testing.T, service string) string { return mustHanging(t, service, 2000).address() },
	} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(b.env["PGVECTOR_DSN"])
			if err != nil {
				t.Fatal("parse PostgreSQL address")
			}
			u.Host = address(t, u.Host)
			cmd, base := mustStartServe(t, u.String(), shortLimits...)
			for _, path := range []string{"/customers/101/recommendations", "/health"} {
				ctx, stop := context.WithTimeout(t.Context(), endTime)
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				answer, err := http.DefaultClient.Do(request)
				stop()
				if err != nil {
					t.Fatal(err)
				}
				_ = answer.Body.Close()
				if answer.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("%s: status %d, want 503", path, answer.StatusCode)
				}
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := mustEndWithin(t, cmd, signalTime); err != nil {
				t.Errorf("serve ended with %v", err)
			}
		})
	}
}

// recommendEnds: the batch is given back before its time is up.
func (b *waitBench) recommendEnds(t *testing.T) {
	dsn, bucket := b.stack.mustVectorDatabase(t), b.stack.mustBucket(t)
	mustGoLive(t, mustVectorStore(t, dsn), recommendtest.Version("m700000000000013"))
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("parse PostgreSQL address")
	}
	endpoint, err := url.Parse(*b.stack.AWS.BaseEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	batch := newMemoryStream(withPoison(1, clicksOf(1, 20), 2)).batch(0, 22)
	for _, service := range []string{"PostgreSQL", "Firehose", "S3"} {
		for step, budget := range map[string]int64{"connect": -1, "first byte": 0, "mid-way": 100} {
			t.Run(service+" "+step, func(t *testing.T) {
				own, env := *u, append([]string{"HEAD_ROOM=5s"}, shortLimits...)
				at := endpoint.Host
				if service == "PostgreSQL" {
					at = u.Host
				}
				var address string
				if budget < 0 {
					address = mustBlackHole(t)
				} else {
					address = mustHanging(t, at, budget).address()
				}
				if service == "PostgreSQL" {
					own.Host = address
				} else {
					env = append(env, "AWS_ENDPOINT_URL_"+strings.ToUpper(service)+"=http://"+address)
				}
				f := mustFunction(t, b.stack, own.String(), bucket, env...)
				if failures := f.mustInvoke(t, batch); len(failures) == 0 {
					t.Errorf("the function took a batch that it could not answer")
				}
			})
		}
	}
}

// TestAStatementMayTakeLongerThanSilence runs a statement without a byte for longer than the limit.
// PostgreSQL says over another connection that it works on it. One whose connection alone has died
// is given up.
func TestAStatementMayTakeLongerThanSilence(t *testing.T) {
	t.Setenv("WAIT_STATEMENT", "1s")
	stack := mustStack(t)
	u, err := url.Parse(stack.mustVectorDatabase(t))
	if err != nil {
		t.Fatal("parse PostgreSQL address")
	}
	h := mustHanging(t, u.Host, noEnd)
	u.Host = h.address()
	store, err := vectorstore.Open(t.Context(), envconfig.PGVector{DSN: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	pool, err := pgxpool.NewWithConfig(t.Context(), store.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), "SELECT pg_sleep(3.5)"); err != nil {
		t.Errorf("a long statement: %v", err)
	}
	h.budget.Store(0)
	var timeout interface{ Timeout() bool }
	if _, err := pool.Exec(t.Context(), "SELECT 1"); err == nil || !errors.As(err, &timeout) ||
		!strings.Contains(err.Error(), "waited 1s for "+u.Host) {
		t.Errorf("a connection that died: %v", err)
	}
}
