package integration

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/shardreader"
	"kindred/localstack/settings"
)

// streamCases are records and objects that every later reader must bear.
func streamCases() []faultCase {
	event := func(session string) string {
		return fmt.Sprintf(`{"session_id":%q,"customer_number":102,"browse_history":[{"product_code":"L1_01","quantity":1}]}`,
			session)
	}
	console := `{"Records":[{"eventID":"shardId-000000000007:49","kinesis":{"partitionKey":"p","data":"bm8gZXZlbnQ=",` +
		`"kinesisSchemaVersion":"1.0","sequenceNumber":"49"},"eventName":"aws:kinesis:record",` +
		`"eventSourceARN":"arn:aws:kinesis:TEST","eventSource":"aws:kinesis","awsRegion":"eu-west-1"}]}`
	queue := `{"Records":[{"messageId":"19dd0b57","receiptHandle":"h","body":"hello","eventSource":"aws:sqs",` +
		`"eventSourceARN":"arn:aws:sqs:eu-west-1:123456789012:q","awsRegion":"eu-west-1"}]}`
	return []faultCase{
		{"02-lone-surrogate", map[string]string{"event.jsonl": `{"session_id":"own-1","browse_history":[],"note":"\udc00 low"}
{"session_id":"own-2","browse_history":[{"product_code":"L1_01","\ud800":1}]}
{"session_id":"own-3","browse_history":[],"deep":[{"a":["\ud83d\ud83d\ude00"]}]}
` + event("own-4")}, true, wantReadable},
		{"04-console-test-event", map[string]string{"console.json": console, "queue.json": queue}, true, wantNoStrangeObject},
		{"19-producers", map[string]string{
			"array.bin": " [ " + event("own-array-1") + "\n," + event("own-array-2") + ",\n" + event("own-array-3") + "]\n",
			"bom.bin":   "\ufeff" + event("own-bom"), "gzip.bin": gzipped(event("own-gzip")),
			"kpl.bin":    kplAggregate(event("own-kpl-1"), event("own-kpl-2")),
			"ndjson.bin": event("own-lines-1") + "\r\n\n" + event("own-lines-2") + "\n",
			"number.bin": `{"session_id":"own-number","browse_history":[{"product_code":7,"quantity":"x"}]}`,
			"string.bin": `{"session_id":"own-string","customer_number":"007","browse_history":[]}`,
		}, true, wantParts},
		{"22-replay-file", map[string]string{
			"shop.csv":    "visitor;item\n1;2\n3;4\n",
			"mixed.jsonl": event("own-mixed-1") + "\n{\"session_id\":\n\n" + event("own-mixed-2") + "\n\"text\"\n",
		}, true, wantCountedLines},
	}
}

// gzipped is the text as gzip has it.
func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text) // a buffer takes all
	_ = w.Close()
	return b.String()
}

// kplAggregate packs records as the Kinesis Producer Library does:
// https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md.
func kplAggregate(records ...string) string {
	field := func(number byte, content []byte) []byte {
		return append(binary.AppendUvarint([]byte{number<<3 | 2}, uint64(len(content))), content...)
	}
	message := field(1, []byte("key"))
	for _, r := range records {
		message = append(message, field(3, append([]byte{1 << 3, 0}, field(3, []byte(r))...))...)
	}
	sum := md5.Sum(message)
	return "\xF3\x89\x9A\xC2" + string(message) + string(sum[:])
}

// caseChain is the streaming half, deployed for one case, and the programs that read what it wrote.
type caseChain struct {
	own      settings.Settings
	stream   *kinesis.Client
	store    *objectstore.S3
	programs programs
}

// mustCaseChain deploys the chain for a case.
func mustCaseChain(t *testing.T, stack Stack) *caseChain {
	t.Helper()
	own := mustOwnSettings(t, stack)
	dsn := stack.mustVectorDatabase(t)
	mustGoLive(t, mustVectorStore(t, dsn), recommendtest.Version("m700000000000001"))
	env := own.Env()
	env["AWS_ENDPOINT_URL"], env["PGVECTOR_DSN"] = *stack.AWS.BaseEndpoint, dsn
	env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = "test", "test"
	env["DUCKDB"] = filepath.Join(mustPython(t, "duckdb-cli-1.5.6", "duckdb-cli==1.5.6"), "duckdb_cli", "duckdb")
	mustProvision(t, stack, own, env)
	return &caseChain{own: own, stream: kinesis.NewFromConfig(stack.AWS),
		store:    objectstore.NewS3(awsclient.S3(stack.AWS), own.Buckets.Recommendations.Name, ""),
		programs: mustPrograms(t, env, "replay", "verify", "feedback")}
}

// mustPut puts one record on the stream.
func (c *caseChain) mustPut(t *testing.T, key string, data []byte) {
	t.Helper()
	if _, err := c.stream.PutRecord(t.Context(),
		&kinesis.PutRecordInput{StreamName: &c.own.Stream.Name, PartitionKey: &key, Data: data}); err != nil {
		t.Fatal(err)
	}
}

// mustPutSound puts an event that is answered on the stream.
func (c *caseChain) mustPutSound(t *testing.T) {
	t.Helper()
	c.mustPut(t, "sound", fmt.Appendf(nil, `{"session_id":"sound-%s","browse_history":[]}`, randomName()))
}

// wantAll runs the programs, each with its arguments, which must all succeed.
func (c *caseChain) wantAll(t *testing.T, commands ...[]string) {
	t.Helper()
	for _, command := range commands {
		if code, stderr := c.programs.run(t, nil, command[0], command[1:]...); code != 0 {
			t.Errorf("%q: exit %d: %s", command, code, stderr)
		}
	}
}

// sessions are those that have an answer on S3.
func (c *caseChain) sessions(t *testing.T) map[string]bool {
	t.Helper()
	answered := map[string]bool{}
	for _, r := range mustRecords(t, c.store) {
		if e, err := activity.Parse(r.Event); err == nil {
			answered[e.SessionID] = true
		}
	}
	return answered
}

var verifyAll = []string{"verify", "--max-unknown", "1", "--wait", catchUp.String()}

// wantReadable: each line is an event that is answered or quarantined, and no later reader stumbles.
func wantReadable(b *caseBench, t *testing.T, folder string) {
	c := b.chain
	for line := range strings.Lines(mustReadFile(t, folder, "event.jsonl")) {
		c.mustPut(t, "lines", []byte(line))
	}
	c.mustPutSound(t)
	c.wantAll(t, verifyAll, []string{"feedback"}, []string{"verify", "redrive"})
}

// wantNoStrangeObject: what is no event of a stream, invoked by hand, leaves nothing that verify or
// redrive cannot read.
func wantNoStrangeObject(b *caseBench, t *testing.T, folder string) {
	c := b.chain
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no event in %s: %v", folder, err)
	}
	for _, file := range files {
		payload := mustReadFile(t, folder, filepath.Base(file))
		out, err := lambda.NewFromConfig(b.stack.AWS).Invoke(t.Context(),
			&lambda.InvokeInput{FunctionName: &c.own.Functions.Recommend.Name, Payload: []byte(payload)})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: error %v, %s", filepath.Base(file), out.FunctionError != nil, out.Payload)
	}
	c.mustPutSound(t)
	c.wantAll(t, verifyAll, []string{"verify", "redrive"})
}

var (
	// packed are names of files with events in a form that has a standard.
	packed = regexp.MustCompile(`^(array|bom|gzip|kpl|ndjson)`)
	// sessionID finds the sessions of events, however they are packed.
	sessionID = regexp.MustCompile(`"session_id": ?"([^"]+)"`)
)

// wantParts: the events of an array, of lines, of a KPL aggregate, of a gzip stream and after a BOM
// are answered each. Other bytes that are no event are in quarantine.
func wantParts(b *caseBench, t *testing.T, folder string) {
	c := b.chain
	files, err := filepath.Glob(filepath.Join(folder, "*.bin"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no record in %s: %v", folder, err)
	}
	wanted := map[string]string{} // file by session
	for _, file := range files {
		data := []byte(mustReadFile(t, folder, filepath.Base(file)))
		c.mustPut(t, filepath.Base(file), data)
		if !packed.MatchString(filepath.Base(file)) {
			continue
		}
		if r, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
			if data, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		for _, found := range sessionID.FindAllSubmatch(data, -1) {
			wanted[string(found[1])] = filepath.Base(file)
		}
	}
	c.wantAll(t, verifyAll, []string{"feedback"}, []string{"verify", "redrive"})
	var missing []string
	for end := time.Now().Add(cleanupTime / 4); ; time.Sleep(200 * time.Millisecond) {
		answered := c.sessions(t)
		missing = missing[:0]
		for session, file := range wanted {
			if !answered[session] {
				missing = append(missing, file+": "+session)
			}
		}
		if len(missing) == 0 || time.Now().After(end) {
			break
		}
	}
	if slices.Sort(missing); len(missing) > 0 {
		t.Errorf("never answered: %q", missing)
	}
}

// wantCountedLines: replay file sends what is an event, and says how many lines are none.
func wantCountedLines(b *caseBench, t *testing.T, folder string) {
	c := b.chain
	files, err := filepath.Glob(filepath.Join(folder, "*.[jc]s*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no file in %s: %v", folder, err)
	}
	for _, file := range files {
		var good []string
		bad := 0
		for line := range strings.Lines(strings.TrimPrefix(mustReadFile(t, folder, filepath.Base(file)), "\ufeff")) {
			if strings.TrimSpace(line) == "" {
				continue
			}
			if e, err := activity.Parse([]byte(line)); err == nil {
				good = append(good, e.SessionID)
			} else {
				bad++
			}
		}
		a := run(t, c.programs.env, filepath.Join(c.programs.folder, "replay"), "file", file)
		said := a.stdout + a.stderr
		if !regexp.MustCompile(fmt.Sprintf(`\b%d\b`, bad)).MatchString(said) ||
			len(good) > 0 && !strings.Contains(said, fmt.Sprintf("Sent %d event", len(good))) ||
			len(good) == 0 && a.code == 0 && !strings.Contains(said, "Sent 0 event") {
			t.Errorf("%s has %d events and %d other lines; replay file: exit %d: %s", filepath.Base(file), len(good), bad,
				a.code,
				said)
		}
		onStream := c.mustSessions(t)
		for _, session := range good {
			if !onStream[session] {
				t.Errorf("%s: the event of session %s is not on the stream", filepath.Base(file), session)
			}
		}
	}
}

// mustSessions are those of the events on the stream.
func (c *caseChain) mustSessions(t *testing.T) map[string]bool {
	t.Helper()
	sessions := map[string]bool{}
	reader := shardreader.New(c.stream, c.own.Stream.Name)
	shards, err := reader.Shards(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, shard := range shards {
		err := reader.Read(t.Context(), shard, "", func(_ activity.Position, data []byte) error {
			if e, err := activity.Parse(bytes.TrimPrefix(data, []byte("\ufeff"))); err == nil {
				sessions[e.SessionID] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return sessions
}
