package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"kindred/integration/conformance/journal"
)

const (
	mappingAPI  = lambdaAPI + "API_CreateEventSourceMapping.html"
	partialPage = lambdaGuide + "services-kinesis-batchfailurereporting.html"
	failurePage = lambdaGuide + "kinesis-on-failure-destination.html"
	// Tests of kindred that hold rules of the mapping.
	coverPartial = "integration TestKilledFunctionLosesNothingAndKeepsOrder"
	coverRetry   = "lambdas/recommend TestRetryWritesTheSameIDs"
	coverGiven   = "integration TestRedriveAnswersAllThatAFaultStoppedThoughKilled"
	noReshard    = noTest + "Lambda's own work; a record's id is the same from any shard"
	coverFixture = "lambdas/recommend TestFixture"
	coverChain   = "integration TestRatingsInMySQLBecomeRecommendationsOnS3"
)

func mappingRows() []Behaviour {
	return []Behaviour{
		{ID: "mapping/event",
			Rule:   "A record comes with shard and sequence number in eventID, the stream's ARN, key, data and arrival time",
			Source: lambdaGuide + "with-kinesis.html", Covered: coverFixture, check: checkEvent},
		{ID: "mapping/batch-size", Rule: "A batch has at most BatchSize records",
			Source: mappingAPI, Covered: "lambdas/recommend TestChunksBeforeARefusalAreDone", check: checkBatchSize},
		{ID: "mapping/window", Rule: "With a batching window a batch waits for more records", Slow: true,
			Source: mappingAPI, Covered: noTest + "a batch of any size is answered", check: checkWindow},
		{ID: "mapping/order", Rule: "Batches of a shard come one after the other, in the order of the shard",
			Source: lambdaGuide + "with-kinesis.html", Covered: coverChain, check: checkMappingOrder},
		{ID: "mapping/trim-horizon", Rule: "TRIM_HORIZON also delivers records that arrived before the mapping was created",
			Source: mappingAPI, Covered: coverChain, check: checkMappingTrim},
		{ID: "mapping/latest", Rule: "LATEST delivers only records that arrive after the mapping was created", Slow: true,
			Source: mappingAPI, Covered: noTest + "kindred's mapping begins at TRIM_HORIZON, not at LATEST",
			check: checkMappingLatest},
		{ID: "mapping/retry-order", Rule: "A batch that fails is sent again before the records after it in the shard",
			Source: lambdaGuide + "with-kinesis.html", Covered: coverRetry, check: checkRetryOrder},
		{ID: "mapping/partial",
			Rule:   "With ReportBatchItemFailures only the reported record and those after it are sent again",
			Source: partialPage, Covered: coverPartial, check: checkPartial},
		{ID: "mapping/partial-lowest", Rule: "If several records are reported, the first of them in the " +
			"shard counts", Slow: true,
			Source: partialPage, Covered: coverPartial, check: checkPartialLowest},
		{ID: "mapping/partial-empty", Rule: "An empty list of failures is success: nothing is sent again", Slow: true,
			Source: partialPage, Covered: "lambdas/recommend TestEmptyBatch", check: checkPartialEmpty},
		{ID: "mapping/partial-off", Rule: "Without ReportBatchItemFailures, the records that the function " +
			"reports are ignored",
			Source: partialPage, Covered: "terraform/modules/recommend/tests/recommend.tftest.hcl " +
				"refuses_all_or_nothing_batches", check: checkPartialOff},
		{ID: "mapping/retry-limit",
			Rule:   "With MaximumRetryAttempts 2 a failing batch is tried 3 times, then the shard continues",
			Source: mappingAPI, Covered: "terraform/modules/recommend/tests/recommend.tftest.hcl refuses_endless_retries",
			check: checkRetryLimit},
		{ID: "mapping/record-age",
			Rule: "With MaximumRecordAgeInSeconds, a failing batch of that age is given up, and the shard " +
				"continues",
			Slow:   true,
			Source: mappingAPI, Covered: "terraform/modules/recommend/tests/recommend.tftest.hcl " +
				"refuses_an_age_beyond_the_stream", check: checkRecordAge},
		{ID: "mapping/bisect",
			Rule:   "With BisectBatchOnFunctionError a failing batch is halved, until only the failing record is given up",
			Source: mappingAPI, Covered: "integration TestPoisonRecordAmongHundredBlocksNobodyAndKeepsItsBytes",
			check: checkBisect},
		{ID: "mapping/on-failure",
			Rule: "A batch that is given up becomes an object in the OnFailure bucket: " +
				"aws/lambda/UUID/SHARD/YYYY/MM/DD/…", Slow: true,
			Source: failurePage, Covered: coverGiven, check: checkOnFailure},
		{ID: "mapping/on-failure-content",
			Rule: "The OnFailure object names shard, range, size and condition, and its payload holds the " +
				"records",
			Source: failurePage, Covered: coverGiven, check: checkOnFailureContent},
		{ID: "mapping/parallel", Rule: "With a ParallelizationFactor batches of one shard run at the same time", Slow: true,
			Source: lambdaGuide + "with-kinesis.html", Covered: noTest +
				"kindred sets 2 on AWS and 1 locally; AWS keeps the records of one key in order", check: checkParallel},
		{ID: "mapping/split", Rule: "A parent's records come before its children's",
			Source: lambdaGuide + "with-kinesis.html", Covered: noReshard, check: checkMappingSplit},
		{ID: "mapping/new-shards", Rule: "A running mapping also reads the shards that a split creates",
			Source: lambdaGuide + "with-kinesis.html", Covered: noReshard, check: checkNewShards},
		{ID: "mapping/resume", Rule: "A mapping that was disabled resumes where it stopped",
			Source: lambdaGuide + "invocation-eventsourcemapping.html", Covered: coverRetry, check: checkResume},
		{ID: "mapping/alias", Rule: "A mapping of an alias invokes the alias's version", Slow: true,
			Source: lambdaGuide + "configuration-aliases.html", Covered: coverAlias, check: checkMappingAlias},
	}
}

// bed is a stream of one shard whose records the function probe gets.
func (p *place) bed(ctx context.Context, changes ...func(*lambda.CreateEventSourceMappingInput)) (mapping string) {
	p.bucket(ctx)
	p.stream(ctx, 1)
	p.function(ctx)
	return p.mapping(ctx, changes...)
}

// mapping makes the mapping of the stream to the function and returns when it is enabled. The
// function is called first: where it cannot run the row ends with the reason, and elsewhere it is
// warm.
func (p *place) mapping(ctx context.Context, changes ...func(*lambda.CreateEventSourceMappingInput)) string {
	p.ask(ctx, journal.Command{})
	in := &lambda.CreateEventSourceMappingInput{
		EventSourceArn: p.streamActive(ctx).StreamARN, FunctionName: &p.name,
		StartingPosition: types.EventSourcePositionTrimHorizon,
		BatchSize:        aws.Int32(100), MaximumRetryAttempts: aws.Int32(2),
		FunctionResponseTypes: []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures},
		Tags:                  p.target.Tags,
	}
	for _, change := range changes {
		change(in)
	}
	made := withRole(ctx, p, func() (*lambda.CreateEventSourceMappingOutput, error) {
		return p.lambda.CreateEventSourceMapping(ctx, in)
	})
	p.undo(func(ctx context.Context) error {
		_, err := p.lambda.DeleteEventSourceMapping(ctx, &lambda.DeleteEventSourceMappingInput{UUID: made.UUID})
		return err
	})
	p.mappingState(ctx, *made.UUID, "Enabled")
	return *made.UUID
}

func (p *place) mappingState(ctx context.Context, id, state string) {
	p.await(ctx, "the mapping never reached the state "+state, func() bool {
		return aws.ToString(must(p.lambda.GetEventSourceMapping(ctx,
			&lambda.GetEventSourceMappingInput{UUID: &id})).State) == state
	})
}

func batchOf(n int32) func(*lambda.CreateEventSourceMappingInput) {
	return func(in *lambda.CreateEventSourceMappingInput) { in.BatchSize = &n }
}

// toBucket lets the mapping write the batches that it gives up to the place's bucket.
func (p *place) toBucket(in *lambda.CreateEventSourceMappingInput) {
	in.DestinationConfig = &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String("arn:aws:s3:::" +
		p.name)}}
}

// batch puts records with one call, so that the mapping may take them together.
func (p *place) batch(ctx context.Context, data ...string) {
	records := make([]kinesistypes.PutRecordsRequestEntry, len(data))
	for i, d := range data {
		records[i] = kinesistypes.PutRecordsRequestEntry{PartitionKey: aws.String("key"), Data: []byte(d)}
	}
	if out := must(p.putRecords(ctx, records)); aws.ToInt32(out.FailedRecordCount) > 0 {
		differs("records are refused")
	}
}

// journal is the batches that the function got, in the order in which it began them.
func (p *place) journal(ctx context.Context) (entries []journal.Entry) {
	for _, key := range p.keys(ctx, journal.Prefix) {
		var e journal.Entry
		check(json.Unmarshal([]byte(p.object(ctx, key)), &e))
		entries = append(entries, e)
	}
	return entries
}

func dataOf(e journal.Entry) (data []string) {
	for _, r := range e.Records {
		data = append(data, r.Data)
	}
	return data
}

// got is the data of all batches.
func got(entries []journal.Entry) (data []string) {
	for _, e := range entries {
		data = append(data, dataOf(e)...)
	}
	return data
}

// until waits until the function got each of the records at least once, and returns its journal.
func (p *place) until(ctx context.Context, data ...string) (entries []journal.Entry) {
	p.await(ctx, "the function never received a record", func() bool {
		entries = p.journal(ctx)
		return !slices.ContainsFunc(data, func(d string) bool { return !slices.Contains(got(entries), d) })
	})
	return entries
}

func count(entries []journal.Entry, data string) (n int) {
	for _, d := range got(entries) {
		if d == data {
			n++
		}
	}
	return n
}

func checkEvent(ctx context.Context, p *place) {
	p.bed(ctx)
	shards, numbers := p.put(ctx, "a key", "data é")
	began := time.Now()
	r := p.until(ctx, "data é")[0].Records[0]
	switch {
	case r.EventID != shards[0]+":"+numbers[0]:
		differs("eventID has another form")
	case r.Stream != aws.ToString(p.streamActive(ctx).StreamARN):
		differs("eventSourceARN is not the stream's ARN")
	case r.SequenceNumber != numbers[0] || r.Key != "a key":
		differs("the record has another sequence number or key")
	case r.Arrived.Sub(began).Abs() > time.Minute:
		differs("the arrival time is not the time of the put")
	}
}

func checkBatchSize(ctx context.Context, p *place) {
	p.bed(ctx, batchOf(4))
	data := digits(10)
	p.batch(ctx, data...)
	for _, e := range p.until(ctx, data...) {
		if len(e.Records) > 4 {
			differs("BatchSize 4 gives larger batches")
		}
	}
}

// checkWindow waits for a first record, so that the function is warm and the mapping reads, and
// then looks how long the next one waits.
func checkWindow(ctx context.Context, p *place) {
	const window = 10 * time.Second
	p.bed(ctx, func(in *lambda.CreateEventSourceMappingInput) {
		in.MaximumBatchingWindowInSeconds = aws.Int32(int32(window / time.Second))
	})
	p.put(ctx, "key", "warm")
	p.until(ctx, "warm")
	put := time.Now()
	p.put(ctx, "key", "a")
	entries := p.until(ctx, "a")
	if entries[len(entries)-1].Began.Sub(put) < window/2 {
		differs("the mapping does not wait")
	}
}

func checkMappingOrder(ctx context.Context, p *place) {
	p.bed(ctx, batchOf(7))
	data := digits(60)
	p.batch(ctx, data...)
	if entries := p.until(ctx, data...); !slices.Equal(got(entries), data) {
		differs("records come in another order, or twice")
	}
}

func checkMappingTrim(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	p.put(ctx, "key", "before")
	p.bucket(ctx)
	p.function(ctx)
	p.mapping(ctx)
	p.until(ctx, "before")
}

func checkMappingLatest(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	p.put(ctx, "key", "before")
	p.bucket(ctx)
	p.function(ctx)
	p.mapping(ctx, func(in *lambda.CreateEventSourceMappingInput) {
		in.StartingPosition = types.EventSourcePositionLatest
	})
	n := 0
	// the mapping may begin to read some time after it is enabled
	p.await(ctx, "the function never received a record", func() bool {
		n++
		p.put(ctx, "key", fmt.Sprint("after ", n))
		return len(p.journal(ctx)) > 0
	})
	if count(p.journal(ctx), "before") > 0 {
		differs("an older record comes too")
	}
}

func checkRetryOrder(ctx context.Context, p *place) {
	p.bed(ctx, batchOf(1))
	p.batch(ctx, "1", "fail-once 2", "3", "4")
	if data := got(p.until(ctx, "4")); !slices.Equal(data, []string{"1", "fail-once 2", "fail-once 2", "3", "4"}) {
		differs("%s", sequence(data))
	}
}

// sequence says what the function got, as numbers.
func sequence(data []string) string {
	var b []string
	for _, d := range data {
		b = append(b, d[strings.LastIndex(d, " ")+1:])
	}
	return "the function gets " + strings.Join(b, ", ")
}

func checkPartial(ctx context.Context, p *place) {
	p.bed(ctx)
	p.batch(ctx, "1", "2", "refuse-once 3", "4", "5")
	p.until(ctx, "5")
	settled := p.within(ctx, p.patience(), func() bool { return count(p.journal(ctx), "refuse-once 3") == 2 })
	data := got(p.journal(ctx))
	if !settled {
		differs("the reported record is not sent again: it is lost")
	}
	// AWS may have read the records as several batches; the records before the failure come once in any case.
	for _, done := range []string{"1", "2"} {
		if count(p.journal(ctx), done) != 1 {
			differs("a record in front of the reported one is sent again")
		}
	}
	if data[len(data)-1] != "5" {
		differs("%s", sequence(data))
	}
}

func checkPartialLowest(ctx context.Context, p *place) {
	p.bed(ctx)
	p.batch(ctx, "1", "refuse-once 2", "3", "refuse-once 4", "5")
	p.until(ctx, "5")
	if !p.within(ctx, p.patience(), func() bool { return count(p.journal(ctx), "refuse-once 2") == 2 }) {
		differs("the first reported record is not sent again: it is lost")
	}
	if count(p.journal(ctx), "1") != 1 {
		differs("a record in front of it is sent again")
	}
}

func checkPartialEmpty(ctx context.Context, p *place) {
	p.bed(ctx, batchOf(1))
	p.batch(ctx, "1", "2", "3")
	if data := got(p.until(ctx, "3")); !slices.Equal(data, []string{"1", "2", "3"}) {
		differs("%s", sequence(data))
	}
}

func checkPartialOff(ctx context.Context, p *place) {
	p.bed(ctx, batchOf(1), func(in *lambda.CreateEventSourceMappingInput) { in.FunctionResponseTypes = nil })
	p.batch(ctx, "refuse 1", "2")
	if data := got(p.until(ctx, "2")); len(data) != 2 {
		differs("%s", sequence(data))
	}
}

func checkRetryLimit(ctx context.Context, p *place) {
	p.bed(ctx, batchOf(1))
	p.batch(ctx, "fail 1", "2")
	if n := count(p.until(ctx, "2"), "fail 1"); n != 3 {
		differs("the function gets the failing batch %d times", n)
	}
}

func checkRecordAge(ctx context.Context, p *place) {
	p.bed(ctx, batchOf(1), p.toBucket, func(in *lambda.CreateEventSourceMappingInput) {
		in.MaximumRetryAttempts, in.MaximumRecordAgeInSeconds = aws.Int32(-1), aws.Int32(60)
	})
	p.batch(ctx, "fail 1", "2")
	began := time.Now()
	const age = time.Minute
	if !p.within(ctx, age+p.patience()/2, func() bool { return count(p.journal(ctx), "2") > 0 }) {
		differs("the batch is tried again forever")
	}
	if time.Since(began) < age/2 {
		differs("the batch is given up long before")
	}
}

// given waits for the first object about what was given up.
func (p *place) given(ctx context.Context) (key string, f failure) {
	p.await(ctx, "no object was written for the records given up", func() bool {
		for _, key = range p.keys(ctx, "") {
			if !strings.HasPrefix(key, journal.Prefix) && !strings.HasPrefix(key, "seen/") {
				return true
			}
		}
		return false
	})
	if json.Unmarshal([]byte(p.object(ctx, key)), &f) != nil {
		differs("the object is not JSON")
	}
	return key, f
}

// failure is the object that Lambda writes.
type failure struct {
	RequestContext   struct{ Condition string }
	KinesisBatchInfo struct {
		ShardID             string `json:"shardId"`
		StartSequenceNumber string `json:"startSequenceNumber"`
		EndSequenceNumber   string `json:"endSequenceNumber"`
		StreamARN           string `json:"streamArn"`
		BatchSize           int    `json:"batchSize"`
	}
	Payload json.RawMessage
}

func checkBisect(ctx context.Context, p *place) {
	p.bed(ctx, p.toBucket, func(in *lambda.CreateEventSourceMappingInput) {
		in.BisectBatchOnFunctionError = aws.Bool(true)
	})
	p.batch(ctx, "1", "2", "fail 3", "4", "5", "6", "7", "8")
	_, f := p.given(ctx)
	if f.KinesisBatchInfo.BatchSize != 1 {
		differs("the batch is not halved: good records are given up with the failing one")
	}
	p.until(ctx, "8")
}

var failureKey = regexp.MustCompile(
	`^aws/lambda/[0-9a-f-]{36}/shardId-\d{12}/\d{4}/\d{2}/\d{2}/\d{4}-\d{2}-\d{2}T\d{2}\.\d{2}\.\d{2}-[0-9a-f-]{36}$`)

func checkOnFailure(ctx context.Context, p *place) {
	p.bed(ctx, p.toBucket)
	p.batch(ctx, "fail 1")
	if key, _ := p.given(ctx); !failureKey.MatchString(key) {
		differs("the key has another form")
	}
}

func checkOnFailureContent(ctx context.Context, p *place) {
	p.bed(ctx, p.toBucket)
	shards, numbers := p.put(ctx, "key", "fail 1")
	_, f := p.given(ctx)
	info := f.KinesisBatchInfo
	switch {
	case info.ShardID != shards[0], info.StartSequenceNumber != numbers[0], info.EndSequenceNumber != numbers[0],
		info.BatchSize != 1,
		info.StreamARN != aws.ToString(p.streamActive(ctx).StreamARN):
		differs("KinesisBatchInfo has other values")
	case f.RequestContext.Condition != "RetryAttemptsExhausted":
		differs("the condition is %q", f.RequestContext.Condition)
	case !strings.Contains(string(f.Payload), numbers[0]):
		differs("the payload holds no record")
	}
}

func checkParallel(ctx context.Context, p *place) {
	p.bed(ctx, batchOf(1), func(in *lambda.CreateEventSourceMappingInput) { in.ParallelizationFactor = aws.Int32(4) })
	data := []string{"nap 1", "nap 2", "nap 3", "nap 4"}
	for _, d := range data {
		p.put(ctx, "key of "+d, d)
	}
	entries := p.until(ctx, data...)
	for i := 1; i < len(entries); i++ {
		if entries[i].Began.Sub(entries[i-1].Began) < journal.NapTime/2 {
			return
		}
	}
	differs("batches of a shard run one after the other")
}

func checkMappingSplit(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	p.put(ctx, "key", "1", "2", "3")
	parent, _ := p.split(ctx)
	if shards, _ := p.put(ctx, "key", "4", "5", "6"); slices.Contains(shards, *parent.ShardId) {
		differs("records go to the closed parent after a split")
	}
	p.bucket(ctx)
	p.function(ctx)
	p.mapping(ctx, batchOf(1))
	if data := got(p.until(ctx, "3", "6")); !slices.IsSorted(data) {
		differs("the child's records come before the parent's are done")
	}
}

func checkNewShards(ctx context.Context, p *place) {
	p.bed(ctx)
	p.put(ctx, "key", "1")
	p.until(ctx, "1")
	_, children := p.split(ctx)
	for i, s := range children {
		out := must(p.kinesis.PutRecord(ctx, &kinesis.PutRecordInput{
			StreamName: &p.name, PartitionKey: aws.String("key"), ExplicitHashKey: s.HashKeyRange.StartingHashKey,
			Data: []byte(fmt.Sprint("child ", i)),
		}))
		if *out.ShardId != *s.ShardId {
			differs("records go to the closed parent after a split")
		}
	}
	p.until(ctx, "child 0", "child 1")
}

func checkResume(ctx context.Context, p *place) {
	id := p.bed(ctx)
	p.put(ctx, "key", "1")
	p.until(ctx, "1")
	enable := func(on bool, state string) {
		must(p.lambda.UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{UUID: &id, Enabled: &on}))
		p.mappingState(ctx, id, state)
	}
	enable(false, "Disabled")
	p.put(ctx, "key", "2")
	enable(true, "Enabled")
	if data := got(p.until(ctx, "2")); !slices.Equal(data, []string{"1", "2"}) {
		differs("the mapping begins again at its starting position")
	}
}

func checkMappingAlias(ctx context.Context, p *place) {
	p.bucket(ctx)
	p.stream(ctx, 1)
	p.function(ctx)
	version := must(p.lambda.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: &p.name})).Version
	alias := must(p.lambda.CreateAlias(ctx,
		&lambda.CreateAliasInput{FunctionName: &p.name, FunctionVersion: version, Name: aws.String("live")}))
	p.mapping(ctx, func(in *lambda.CreateEventSourceMappingInput) { in.FunctionName = alias.AliasArn })
	p.put(ctx, "key", "1")
	p.until(ctx, "1")
}
