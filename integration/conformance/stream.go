package conformance

import (
	"bytes"
	"context"
	"crypto/md5" // Kinesis chooses shards by MD5
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// Tests of kindred that hold rules of Kinesis.
const (
	coverRefused  = "internal/stream/shardwriter TestRefusedKeyIsNotOvertaken"
	coverLimits   = "internal/stream/shardwriter TestBatchesStayWithinTheLimits"
	coverShards   = "internal/stream/shardreader TestShardsTakesEveryPage"
	coverTip      = "internal/stream/shardreader TestReadGoesToTheTip"
	kinesisAPI    = "kinesis/latest/APIReference/"
	streamsGuide  = "streams/latest/dev/"
	invalidInput  = "InvalidArgumentException"
	validation    = "ValidationException"
	shardsOnePage = 10_000
)

func streamRows() []Behaviour {
	return []Behaviour{
		{ID: "kinesis/put-results",
			Rule:   "PutRecords answers each entry in the order of the request, with shard and sequence number",
			Source: kinesisAPI + "API_PutRecords.html", Covered: coverRefused, check: checkPutResults},
		{ID: "kinesis/put-partial", Rule: "A shard accepts 1 MiB/s. Above it, PutRecords answers 200, " +
			"refuses single entries, and counts them in FailedRecordCount",
			Source: kinesisAPI + "API_PutRecords.html", Covered: "integration TestRefusedRecordsAreSentAgainAndOnlyThose",
			check: checkPutPartial},
		{ID: "kinesis/put-501", Rule: "PutRecords refuses more than 500 entries",
			Source: kinesisAPI + "API_PutRecords.html", Covered: coverLimits, check: checkPut501},
		{ID: "kinesis/put-record-size",
			Rule:   "A record above 1 MiB (data and key) is refused unless the stream allows larger ones",
			Source: streamsGuide + "service-sizes-and-limits.html", Covered: coverLimits, check: checkPutRecordSize},
		{ID: "kinesis/put-call-size", Rule: "A PutRecords call above 10 MiB (5 MiB until 2025) is refused",
			Source: kinesisAPI + "API_PutRecords.html", Covered: coverLimits, check: checkPutCallSize},
		{ID: "kinesis/key-order", Rule: "Records of one key, put one after the other, are read in that order",
			Source: streamsGuide +
				"key-concepts.html", Covered: "integration TestReplayedSessionsArriveWholeAndInOrder", check: checkKeyOrder},
		{ID: "kinesis/sequence-numbers", Rule: "Sequence numbers of a shard increase",
			Source: streamsGuide +
				"key-concepts.html", Covered: "integration TestReplayedSessionsArriveWholeAndInOrder", check: checkSequenceNumbers},
		{ID: "kinesis/key-to-shard", Rule: "A record goes to the shard whose hash range holds the MD5 of its key",
			Source: streamsGuide + "key-concepts.html", check: checkKeyToShard},
		{ID: "kinesis/explicit-hash", Rule: "ExplicitHashKey overrides the key's hash",
			Source: kinesisAPI + "API_PutRecord.html", check: checkExplicitHash},
		{ID: "kinesis/hash-ends", Rule: "The hash ranges of the open shards leave no gap, and each range " +
			"includes its last hash",
			Source: kinesisAPI + "API_HashKeyRange.html", Covered: noTest +
				"a random key hits the last hash of a range with a probability of 1 in 2^126", check: checkHashEnds},
		{ID: "kinesis/trim-horizon", Rule: "TRIM_HORIZON begins at the oldest record",
			Source: kinesisAPI + "API_GetShardIterator.html", Covered: coverTip,
			check: checkIterators(types.ShardIteratorTypeTrimHorizon, 0, "abc")},
		{ID: "kinesis/at-sequence", Rule: "AT_SEQUENCE_NUMBER begins with the record of that number",
			Source: kinesisAPI + "API_GetShardIterator.html", Covered: coverTip,
			check: checkIterators(types.ShardIteratorTypeAtSequenceNumber, 1, "bc")},
		{ID: "kinesis/after-sequence", Rule: "AFTER_SEQUENCE_NUMBER begins after the record of that number",
			Source: kinesisAPI + "API_GetShardIterator.html", Covered: coverTip,
			check: checkIterators(types.ShardIteratorTypeAfterSequenceNumber, 1, "c")},
		{ID: "kinesis/at-timestamp", Rule: "AT_TIMESTAMP begins with the first record at or after that time",
			Source: kinesisAPI + "API_GetShardIterator.html", Covered: coverTip, check: checkAtTimestamp},
		{ID: "kinesis/latest", Rule: "LATEST begins after the newest record",
			Source: kinesisAPI + "API_GetShardIterator.html", Covered: coverTip, check: checkLatest},
		{ID: "kinesis/get-limit", Rule: "GetRecords gives at most Limit records; the next iterator " +
			"continues after them",
			Source: kinesisAPI + "API_GetRecords.html", Covered: coverTip, check: checkGetLimit},
		{ID: "kinesis/millis-behind", Rule: "MillisBehindLatest is above 0 while records remain, and 0 at the tip",
			Source: kinesisAPI + "API_GetRecords.html", Covered: coverTip, check: checkMillisBehind},
		{ID: "kinesis/split-parents",
			Rule:   "Children of a split name their parent and share its hash range; the parent gets an ending sequence number",
			Source: streamsGuide + "kinesis-using-sdk-java-after-resharding.html", Covered: coverShards, check: checkSplit},
		{ID: "kinesis/merge-parents", Rule: "The child of a merge names both parents",
			Source: kinesisAPI + "API_MergeShards.html", Covered: coverShards, check: checkMerge},
		{ID: "kinesis/split-data",
			Rule: "After a split, new records go to the children, and the old ones can still be read from " +
				"the parent",
			Source: streamsGuide + "kinesis-using-sdk-java-after-resharding.html", Covered: coverShards, check: checkSplitData},
		{ID: "kinesis/closed-shard", Rule: "A closed shard that is read to its end gives no next iterator",
			Source: kinesisAPI + "API_GetRecords.html", Covered: coverTip, check: checkClosedShard},
		{ID: "kinesis/update-shards", Rule: "UpdateShardCount ends with that many open shards",
			Source:  kinesisAPI + "API_UpdateShardCount.html",
			Covered: "integration TestProvisionMakesAllThenNothingThenDestroysAll", check: checkUpdateShards},
		{ID: "kinesis/list-pages", Rule: "ListShards gives pages; the call for the next page passes the " +
			"token instead of the stream's name",
			Source: kinesisAPI + "API_ListShards.html", Covered: coverShards, check: checkListPages},
		{ID: "kinesis/retention", Rule: "The retention of a stream can be raised; IncreaseStreamRetentionPeriod refuses a " +
			"lower value",
			Source: kinesisAPI + "API_IncreaseStreamRetentionPeriod.html", check: checkRetention},
		{ID: "kinesis/names",
			Rule: "Creating a stream whose name exists fails with ResourceInUseException; a missing stream " +
				"gives ResourceNotFoundException",
			Source: kinesisAPI + "API_CreateStream.html", Covered: "internal/lab/replay TestMissingStreamAndCancellation",
			check: checkStreamNames},
	}
}

// stream makes a stream and returns when it is active.
func (p *place) stream(ctx context.Context, shards int32) {
	must(p.kinesis.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &p.name, ShardCount: &shards,
		Tags: p.target.Tags}))
	p.undo(func(ctx context.Context) error {
		_, err := p.kinesis.DeleteStream(ctx,
			&kinesis.DeleteStreamInput{StreamName: &p.name, EnforceConsumerDeletion: aws.Bool(true)})
		return err
	})
	p.streamActive(ctx)
}

func (p *place) streamActive(ctx context.Context) *types.StreamDescriptionSummary {
	var s *types.StreamDescriptionSummary
	p.await(ctx, "the stream never became active", func() bool {
		s = must(p.kinesis.DescribeStreamSummary(ctx,
			&kinesis.DescribeStreamSummaryInput{StreamName: &p.name})).StreamDescriptionSummary
		return s.StreamStatus == types.StreamStatusActive
	})
	return s
}

// shards lists all shards, oldest first.
func (p *place) shards(ctx context.Context) []types.Shard {
	shards := must(p.kinesis.ListShards(ctx,
		&kinesis.ListShardsInput{StreamName: &p.name, MaxResults: aws.Int32(shardsOnePage)})).Shards
	slices.SortFunc(shards, func(a, b types.Shard) int { return strings.Compare(*a.ShardId, *b.ShardId) })
	return shards
}

func open(shards []types.Shard) (list []types.Shard) {
	for _, s := range shards {
		if s.SequenceNumberRange.EndingSequenceNumber == nil {
			list = append(list, s)
		}
	}
	return list
}

// put puts records with one key each in its own call, so that their order is known, and returns
// shards and sequence numbers.
func (p *place) put(ctx context.Context, key string, data ...string) (shards, numbers []string) {
	for _, d := range data {
		out := must(p.kinesis.PutRecord(ctx,
			&kinesis.PutRecordInput{StreamName: &p.name, PartitionKey: &key, Data: []byte(d)}))
		shards, numbers = append(shards, *out.ShardId), append(numbers, *out.SequenceNumber)
	}
	return shards, numbers
}

// entries makes n records of a size.
func entries(n, size int) []types.PutRecordsRequestEntry {
	data := bytes.Repeat([]byte("x"), size)
	list := make([]types.PutRecordsRequestEntry, n)
	for i := range list {
		list[i] = types.PutRecordsRequestEntry{PartitionKey: aws.String(fmt.Sprint("key-", i)), Data: data}
	}
	return list
}

func (p *place) putRecords(ctx context.Context,
	records []types.PutRecordsRequestEntry) (*kinesis.PutRecordsOutput, error) {
	return p.kinesis.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &p.name, Records: records})
}

// read reads a shard from an iterator until want records came.
func (p *place) read(ctx context.Context, iterator *string, want int) []types.Record {
	var records []types.Record
	p.await(ctx, fmt.Sprintf("not all %d records arrived", want), func() bool {
		if iterator == nil {
			differs("the shard ends after %d of %d records", len(records), want)
		}
		out := must(p.kinesis.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator}))
		records, iterator = append(records, out.Records...), out.NextShardIterator
		return len(records) >= want
	})
	return records
}

// iterator begins to read a shard. number is for the types that take one.
func (p *place) iterator(ctx context.Context, shard string, kind types.ShardIteratorType, number string) *string {
	in := &kinesis.GetShardIteratorInput{StreamName: &p.name, ShardId: &shard, ShardIteratorType: kind}
	if number != "" {
		in.StartingSequenceNumber = &number
	}
	return must(p.kinesis.GetShardIterator(ctx, in)).ShardIterator
}

func texts(records []types.Record) string {
	var b strings.Builder
	for _, r := range records {
		b.Write(r.Data)
	}
	return b.String()
}

func number(text string) *big.Int {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		differs("a sequence number or hash key is not a number")
	}
	return n
}

func checkPutResults(ctx context.Context, p *place) {
	p.stream(ctx, 2)
	out := must(p.putRecords(ctx, entries(20, 10)))
	if len(out.Records) != 20 || aws.ToInt32(out.FailedRecordCount) != 0 {
		differs("%d results for 20 entries", len(out.Records))
	}
	for i, r := range out.Records {
		if r.ErrorCode != nil || aws.ToString(r.ShardId) != p.shardOf(ctx, fmt.Sprint("key-", i)) ||
			aws.ToString(r.SequenceNumber) == "" {
			differs("a result names no sequence number, or another entry's shard")
		}
	}
}

func checkPutPartial(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	const calls, each = 3, 5
	taken := 0
	for range calls { // 12 MB within a second or so
		out, err := p.putRecords(ctx, entries(each, 900<<10))
		if err != nil {
			refused(err, "", "ProvisionedThroughputExceededException") // AWS: when no entry is taken
			continue
		}
		failed := 0
		for _, r := range out.Records {
			if r.ErrorCode != nil {
				failed++
			}
		}
		if failed != int(aws.ToInt32(out.FailedRecordCount)) {
			differs("FailedRecordCount is not the number of results with an error")
		}
		taken += each - failed
	}
	if taken == calls*each {
		differs("a shard accepts 13 MiB at once: no record is ever refused")
	}
}

func checkPut501(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	_, err := p.putRecords(ctx, entries(501, 1))
	refused(err, "501 entries are taken", validation, invalidInput)
}

func checkPutRecordSize(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	_, err := p.putRecords(ctx, entries(1, 1<<20+1))
	refused(err, "a record above 1 MiB is taken", validation, invalidInput)
}

func checkPutCallSize(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	_, err := p.putRecords(ctx, entries(11, 1000<<10))
	refused(err, "11 records of 1000 KiB are taken in one call", validation, invalidInput)
}

// digits is n texts that are read as one.
func digits(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%02d ", i)
	}
	return list
}

func checkKeyOrder(ctx context.Context, p *place) {
	p.stream(ctx, 2)
	data := digits(30)
	shards, _ := p.put(ctx, "one key", data...)
	if len(slices.Compact(shards)) != 1 {
		differs("records of one key go to several shards")
	}
	records := p.read(ctx, p.iterator(ctx, shards[0], types.ShardIteratorTypeTrimHorizon, ""), len(data))
	if texts(records) != strings.Join(data, "") {
		differs("records of one key are read in another order")
	}
}

func checkSequenceNumbers(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	_, numbers := p.put(ctx, "key", digits(30)...)
	for i := 1; i < len(numbers); i++ {
		if number(numbers[i]).Cmp(number(numbers[i-1])) <= 0 {
			differs("a later record has no greater sequence number")
		}
	}
}

// shardOf is the shard that AWS would choose.
func (p *place) shardOf(ctx context.Context, key string) string {
	sum := md5.Sum([]byte(key))
	return p.shardAt(ctx, new(big.Int).SetBytes(sum[:]))
}

func (p *place) shardAt(ctx context.Context, hash *big.Int) string {
	for _, s := range open(p.shards(ctx)) {
		if number(*s.HashKeyRange.StartingHashKey).Cmp(hash) <= 0 && number(*s.HashKeyRange.EndingHashKey).Cmp(hash) >= 0 {
			return *s.ShardId
		}
	}
	differs("no shard's hash range holds a hash")
	return ""
}

func checkKeyToShard(ctx context.Context, p *place) {
	p.stream(ctx, 4)
	for _, key := range digits(20) {
		shards, _ := p.put(ctx, key, "data")
		if shards[0] != p.shardOf(ctx, key) {
			differs("a key goes to another shard than its MD5 says")
		}
	}
}

func checkExplicitHash(ctx context.Context, p *place) {
	p.stream(ctx, 4)
	p.putAt(ctx, func(r *types.HashKeyRange) *string { return r.StartingHashKey })
}

func checkHashEnds(ctx context.Context, p *place) {
	p.stream(ctx, 4)
	p.putAt(ctx, func(r *types.HashKeyRange) *string { return r.EndingHashKey })
}

// putAt puts a record at one hash of each shard's range.
func (p *place) putAt(ctx context.Context, hash func(*types.HashKeyRange) *string) {
	for _, s := range p.shards(ctx) {
		out := must(p.kinesis.PutRecord(ctx, &kinesis.PutRecordInput{
			StreamName: &p.name, PartitionKey: aws.String("one key"), ExplicitHashKey: hash(s.HashKeyRange), Data: []byte("x"),
		}))
		if *out.ShardId != *s.ShardId {
			differs("the record goes to another shard than its explicit hash says")
		}
	}
}

// checkIterators puts a, b, c and reads from the record at an index.
func checkIterators(kind types.ShardIteratorType, from int, want string) func(context.Context, *place) {
	return func(ctx context.Context, p *place) {
		p.stream(ctx, 1)
		shards, numbers := p.put(ctx, "key", "a", "b", "c")
		start := numbers[from]
		if kind == types.ShardIteratorTypeTrimHorizon {
			start = ""
		}
		records := p.read(ctx, p.iterator(ctx, shards[0], kind, start), len(want))
		if got := texts(records); got != want {
			differs("of a, b, c it gives %q, not %q", got, want)
		}
	}
}

func checkAtTimestamp(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	shards, _ := p.put(ctx, "key", "a")
	first := p.read(ctx, p.iterator(ctx, shards[0], types.ShardIteratorTypeTrimHorizon, ""),
		1)[0].ApproximateArrivalTimestamp
	p.pause(ctx, 3*time.Second) // beyond the rounding of any format
	p.put(ctx, "key", "b")
	between := first.Add(1500 * time.Millisecond)
	iterator := must(p.kinesis.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
		StreamName: &p.name, ShardId: &shards[0], ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: &between,
	})).ShardIterator
	if got := texts(p.read(ctx, iterator, 1)); got != "b" {
		differs("of an older and a newer record it gives %d", len(got))
	}
}

func checkLatest(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	shards, _ := p.put(ctx, "key", "a")
	iterator := p.iterator(ctx, shards[0], types.ShardIteratorTypeLatest, "")
	p.put(ctx, "key", "b")
	if got := texts(p.read(ctx, iterator, 1)); got != "b" {
		differs("of one record before and one behind it gives %q, not the later", got)
	}
}

func checkGetLimit(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	shards, _ := p.put(ctx, "key", "a", "b", "c")
	iterator := p.iterator(ctx, shards[0], types.ShardIteratorTypeTrimHorizon, "")
	var got string
	p.await(ctx, "not all 3 records arrived", func() bool {
		out := must(p.kinesis.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator, Limit: aws.Int32(2)}))
		if len(out.Records) > 2 {
			differs("Limit 2 gives %d records", len(out.Records))
		}
		got, iterator = got+texts(out.Records), out.NextShardIterator
		return len(got) >= 3
	})
	if got != "abc" {
		differs("pages of a, b, c give %q", got)
	}
}

func checkMillisBehind(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	shards, _ := p.put(ctx, "key", "a")
	p.pause(ctx, 1500*time.Millisecond) // so that a and b are apart
	p.put(ctx, "key", "b")
	iterator := p.iterator(ctx, shards[0], types.ShardIteratorTypeTrimHorizon, "")
	behind := map[string]int64{}
	p.await(ctx, "the reader never reached the tip", func() bool {
		out := must(p.kinesis.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator, Limit: aws.Int32(1)}))
		iterator = out.NextShardIterator
		behind[texts(out.Records)] = aws.ToInt64(out.MillisBehindLatest)
		_, done := behind["b"]
		return done
	})
	if behind["a"] == 0 {
		differs("0 with a record left")
	}
	if behind["b"] != 0 {
		differs("above 0 at the tip")
	}
}

// split splits the only shard in two halves.
func (p *place) split(ctx context.Context) (parent types.Shard, children []types.Shard) {
	before := p.shards(ctx)[0]
	middle := new(big.Int).Rsh(number(*before.HashKeyRange.EndingHashKey), 1)
	must(p.kinesis.SplitShard(ctx, &kinesis.SplitShardInput{StreamName: &p.name, ShardToSplit: before.ShardId,
		NewStartingHashKey: aws.String(middle.String())}))
	p.streamActive(ctx)
	for _, s := range p.shards(ctx) {
		if *s.ShardId == *before.ShardId {
			parent = s
		} else {
			children = append(children, s)
		}
	}
	if parent.ShardId == nil {
		differs("the parent of a split is no longer listed")
	}
	return parent, children
}

func checkSplit(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	parent, children := p.split(ctx)
	if len(children) != 2 {
		differs("a split leaves %d children", len(children))
	}
	for _, c := range children {
		if aws.ToString(c.ParentShardId) != *parent.ShardId {
			differs("a child does not name its parent")
		}
	}
	if parent.SequenceNumberRange.EndingSequenceNumber == nil {
		differs("the parent stays open")
	}
	if n := p.streamActive(ctx).OpenShardCount; aws.ToInt32(n) != 2 {
		differs("OpenShardCount is %d after the split of one shard", aws.ToInt32(n))
	}
}

func checkMerge(ctx context.Context, p *place) {
	p.stream(ctx, 2)
	parents := p.shards(ctx)
	must(p.kinesis.MergeShards(ctx, &kinesis.MergeShardsInput{StreamName: &p.name, ShardToMerge: parents[0].ShardId,
		AdjacentShardToMerge: parents[1].ShardId}))
	p.streamActive(ctx)
	left := open(p.shards(ctx))
	if len(left) != 1 {
		differs("%d shards are open after the merge of two", len(left))
	}
	named := []string{aws.ToString(left[0].ParentShardId), aws.ToString(left[0].AdjacentParentShardId)}
	slices.Sort(named)
	if !slices.Equal(named, []string{*parents[0].ShardId, *parents[1].ShardId}) {
		differs("the child does not name both parents")
	}
}

func checkSplitData(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	p.put(ctx, "key", "a")
	parent, _ := p.split(ctx)
	shards, _ := p.put(ctx, "key", "b")
	if shards[0] == *parent.ShardId {
		differs("a new record goes to the closed parent")
	}
	for shard, want := range map[string]string{*parent.ShardId: "a", shards[0]: "b"} {
		var got string
		iterator := p.iterator(ctx, shard, types.ShardIteratorTypeTrimHorizon, "")
		p.within(ctx, shortly, func() bool {
			out := must(p.kinesis.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator}))
			got, iterator = got+texts(out.Records), out.NextShardIterator
			return iterator == nil || got == want
		})
		if got != want {
			differs("the record from before the split is in a child")
		}
	}
}

func checkClosedShard(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	p.put(ctx, "key", "a")
	parent, _ := p.split(ctx)
	iterator := p.iterator(ctx, *parent.ShardId, types.ShardIteratorTypeTrimHorizon, "")
	ends := p.within(ctx, shortly, func() bool {
		iterator = must(p.kinesis.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator})).NextShardIterator
		return iterator == nil
	})
	if !ends {
		differs("the iterator never ends")
	}
}

func checkUpdateShards(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	must(p.kinesis.UpdateShardCount(ctx, &kinesis.UpdateShardCountInput{
		StreamName: &p.name, TargetShardCount: aws.Int32(2), ScalingType: types.ScalingTypeUniformScaling,
	}))
	if n := aws.ToInt32(p.streamActive(ctx).OpenShardCount); n != 2 {
		differs("%d shards are open, not 2", n)
	}
}

func checkListPages(ctx context.Context, p *place) {
	p.stream(ctx, 3)
	seen := map[string]bool{}
	in := &kinesis.ListShardsInput{StreamName: &p.name, MaxResults: aws.Int32(2)}
	for {
		out := must(p.kinesis.ListShards(ctx, in))
		if len(out.Shards) > 2 {
			differs("MaxResults 2 gives %d shards", len(out.Shards))
		}
		for _, s := range out.Shards {
			seen[*s.ShardId] = true
		}
		if out.NextToken == nil {
			break
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken, MaxResults: aws.Int32(2)}
	}
	if len(seen) != 3 {
		differs("pages of 3 shards give %d", len(seen))
	}
}

func checkRetention(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	raise := func(hours int32) error {
		_, err := p.kinesis.IncreaseStreamRetentionPeriod(ctx,
			&kinesis.IncreaseStreamRetentionPeriodInput{StreamName: &p.name, RetentionPeriodHours: &hours})
		return err
	}
	check(raise(48))
	if hours := aws.ToInt32(p.streamActive(ctx).RetentionPeriodHours); hours != 48 {
		differs("the stream keeps %d hours, not 48", hours)
	}
	refused(raise(25), "a raise to what is lower is taken", invalidInput, validation)
}

func checkStreamNames(ctx context.Context, p *place) {
	p.stream(ctx, 1)
	_, err := p.kinesis.CreateStream(ctx,
		&kinesis.CreateStreamInput{StreamName: &p.name, ShardCount: aws.Int32(1), Tags: p.target.Tags})
	refused(err, "a second stream of one name is made", "ResourceInUseException")
	_, err = p.kinesis.DescribeStreamSummary(ctx,
		&kinesis.DescribeStreamSummaryInput{StreamName: aws.String(p.name + "-missing")})
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) {
		refused(err, "a missing stream is described", "ResourceNotFoundException")
	}
}
