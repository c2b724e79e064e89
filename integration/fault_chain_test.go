package integration

import (
	"context"
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kindred/internal/job/verify"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/retry"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/shardreader"
	"kindred/internal/stream/shardwriter"
	"kindred/localstack/settings"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// databaseDown: go test ./integration -run TestDatabaseDown -database-down 60s
var databaseDown = flag.Duration("database-down", 5*time.Second, "how long the database is down while events come")

// catchUp is how long the chain may take to answer what waits for it.
const catchUp = 5 * time.Minute

// chain is the whole way of a click on LocalStack: stream, mapping, function, delivery stream,
// bucket. A small model is live in a database that the function reaches through a proxy.
type chain struct {
	own      settings.Settings
	env      map[string]string
	stream   *kinesis.Client
	store    *objectstore.S3
	database *toxiproxy.Proxy
}

func mustChain(t *testing.T, stack Stack) *chain {
	t.Helper()
	own, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	c := &chain{own: own.WithSuffix(randomName()), stream: kinesis.NewFromConfig(stack.AWS)}
	dsn := stack.mustVectorDatabase(t)
	mustGoLive(t, mustVectorStore(t, dsn), recommendtest.Version("m700000000000001"))
	c.store = objectstore.NewS3(awsclient.S3(stack.AWS), c.own.Buckets.Recommendations.Name, "")
	c.env = map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
	c.database, c.env["PGVECTOR_DSN"] = mustProxy(t, stack, dsn)
	mustProvision(t, stack, c.own, c.env)
	return c
}

// mustSend puts the clicks on the stream, those of a session in their order.
func (c *chain) mustSend(t *testing.T, clicks []click) {
	t.Helper()
	w := shardwriter.New(c.stream, c.own.Stream.Name, retry.Sleep)
	for _, click := range clicks {
		w.Add(shardwriter.Record{Key: click.key, Data: click.data})
	}
	for w.Pending() > 0 {
		if _, err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// audit waits until everything on the stream is accounted for, or wait is over.
func (c *chain) audit(ctx context.Context, wait time.Duration) (verify.Report, error) {
	return verify.New(shardreader.New(c.stream, c.own.Stream.Name), c.store).Run(ctx, verify.Options{Wait: wait})
}

func (c *chain) mustAudit(t *testing.T, wait time.Duration) verify.Report {
	t.Helper()
	report, err := c.audit(t.Context(), wait)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestDatabaseDownQuarantinesNothingLosesNothingAndCatchesUp sends events before, while and after
// the database is down.
func TestDatabaseDownQuarantinesNothingLosesNothingAndCatchesUp(t *testing.T) {
	t.Parallel()
	const part = 200
	c := mustChain(t, mustStack(t))
	clicks := clicksOf(*faultSeed, 3*part)
	c.mustSend(t, clicks[:part])
	mustHold(t, c.mustAudit(t, catchUp), part, 0)

	down := time.After(*databaseDown)
	c.database.Stop()
	c.mustSend(t, clicks[part:2*part])
	select {
	case <-t.Context().Done():
	case <-down:
	}
	report := c.mustAudit(t, 0)
	// "lost": unanswered, and the audit was told not to wait
	if answered := len(mustRecords(t, c.store)); answered != part || report.DistinctEvents != 2*part ||
		report.Recommended+report.Lost != report.Events || report.Quarantined > 0 {
		t.Errorf("%d events were answered; while the database was down:\n%s", answered, report)
	}
	if err := c.database.Start(); err != nil {
		t.Fatal(err)
	}
	up := time.Now()
	c.mustSend(t, clicks[2*part:])
	report = c.mustAudit(t, catchUp)
	mustHold(t, report, 3*part, 0)
	t.Logf("the database was down for %v; %d events were answered within %v of its return, %d lines are there twice",
		*databaseDown, 2*part, time.Since(up).Round(time.Millisecond), report.Duplicates)
}

// TestPoisonRecordAmongHundredBlocksNobodyAndKeepsItsBytes sends it on the real stream; the
// sessions of the others go on after it.
func TestPoisonRecordAmongHundredBlocksNobodyAndKeepsItsBytes(t *testing.T) {
	t.Parallel()
	c := mustChain(t, mustStack(t))
	clicks := withPoison(*faultSeed, clicksOf(*faultSeed, 99), 1)
	poison := slices.IndexFunc(clicks, func(c click) bool { _, err := activity.Parse(c.data); return err != nil })
	c.mustSend(t, clicks)
	report := c.mustAudit(t, catchUp)
	mustHold(t, report, 100, 1)
	for _, q := range mustQuarantined(t, c.store) {
		if string(q.Data) != string(clicks[poison].data) || q.Reason != activity.ReasonNotJSON ||
			q.Position.PartitionKey != clicks[poison].key {
			t.Errorf("quarantined %+v, want the bytes %q", q, clicks[poison].data)
		}
	}

	t.Run("and events sent three times are answered under one id, in their order", func(t *testing.T) {
		const events = 100
		c.mustSend(t, thrice(*faultSeed, clicksOf(*faultSeed+1, events)))
		report := c.mustAudit(t, catchUp)
		for deadline := time.Now().Add(catchUp); report.Duplicates < 2*events && time.Now().Before(deadline); {
			report = c.mustAudit(t, catchUp) // an event is answered with its first line; its last copy's may still be under way
		}
		mustHold(t, report, 100+events, 1)
		if report.Events < 100+3*events || report.Duplicates < 2*events {
			t.Errorf("%d records, %d lines beyond the first of their id", report.Events, report.Duplicates)
		}
		if n := len(mustRecords(t, c.store)); n != 99+events {
			t.Errorf("a reader who drops duplicates by id keeps %d records, want %d", n, 99+events)
		}
	})
}

// thrice sends each click three times, in a random order that keeps the first copies of a session's
// clicks in theirs.
func thrice(seed uint64, clicks []click) []click {
	rng := rand.New(rand.NewPCG(seed, 6))
	var copies [][]click // three of each session
	sessions := map[string][]click{}
	for _, c := range clicks {
		sessions[c.key] = append(sessions[c.key], c)
	}
	for _, c := range clicks {
		if of := sessions[c.key]; of != nil {
			copies = append(copies, of, of, of)
			delete(sessions, c.key)
		}
	}
	var sent []click
	for len(copies) > 0 {
		i := rng.IntN(len(copies))
		sent = append(sent, copies[i][0])
		if copies[i] = copies[i][1:]; len(copies[i]) == 0 {
			copies = slices.Delete(copies, i, i+1)
		}
	}
	return sent
}

// testStateGone kills LocalStack while events come. Its streams and buckets are gone then; what is
// provisioned anew works with the model that is still live, and the audit does not take the loss
// for a proof.
func (n ownStack) testStateGone(t *testing.T) {
	const events = 200
	parts := n.mustUp(t)
	env, err := n.stack.ReadEnv()
	if err != nil {
		t.Fatal(err)
	}
	resources, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	env["AWS_REGION"] = resources.Region
	stack, err := readStack(env)
	if err != nil {
		t.Fatal(err)
	}
	c := mustChain(t, stack)
	c.mustSend(t, clicksOf(*faultSeed, events))
	mustHold(t, c.mustAudit(t, catchUp), events, 0)
	before := mustSequenceNumbers(t, c)

	c.mustSend(t, clicksOf(*faultSeed+1, events)) // while these are answered
	if err := syscall.Kill(parts[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if parts = n.mustUp(t); parts[0].Part != "localstack" {
		t.Fatalf("the first part is %s", parts[0].Part)
	}
	if report, err := c.audit(t.Context(), 0); err == nil || !strings.Contains(err.Error(), c.own.Stream.Name) {
		t.Errorf("the audit of a stream that is gone says %v and\n%s", err, report)
	}
	mustProvision(t, stack, c.own, c.env)
	if report := c.mustAudit(t, 0); report.Fault() == nil {
		t.Errorf("the audit of an empty stream proves something:\n%s", report)
	}
	c.mustSend(t, withPoison(*faultSeed, clicksOf(*faultSeed+2, events), 2))
	mustHold(t, c.mustAudit(t, catchUp), events+2, 2)
	if last, first := before[len(before)-1], mustSequenceNumbers(t, c)[0]; first <= last {
		t.Errorf("sequence numbers went back from %s to %s: ids that derive from them would come twice", last, first)
	}
}

// mustSequenceNumbers gives those of all records on the stream, ascending: all have 56 digits.
func mustSequenceNumbers(t *testing.T, c *chain) (numbers []string) {
	t.Helper()
	reader := shardreader.New(c.stream, c.own.Stream.Name)
	shards, err := reader.Shards(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range shards {
		err := reader.Read(t.Context(), shard, "", func(p activity.Position, _ []byte) error {
			numbers = append(numbers, p.SequenceNumber)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(numbers)
	return numbers
}
