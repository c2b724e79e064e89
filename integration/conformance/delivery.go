package conformance

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	firehoseAPI   = "firehose/latest/APIReference/"
	firehoseGuide = "firehose/latest/dev/"
	// Tests of kindred that hold rules of Firehose.
	coverBatch     = "internal/stream/delivery TestPutKeepsTheBatchLimits"
	coverPerItem   = "internal/stream/delivery TestPutRetriesOnlyTheRefused"
	coverLines     = "integration TestRecommendTurnsABatchIntoLinesOnS3"
	coverFolder    = "terraform/modules/stream/tests/stream.tftest.hcl refuses_a_folder_that_nobody_reads"
	coverAlias     = "terraform/modules/recommend/tests/recommend.tftest.hcl nothing_blocks_a_shard"
	coverDelivery  = "terraform/modules/stream/tests/stream.tftest.hcl delivers_compressed_and_encrypted"
	coverManyLines = "internal/job/verify TestLatencyAndRate" // an object of a hundred lines
)

func deliveryRows() []Behaviour {
	return []Behaviour{
		{ID: "firehose/put-results", Rule: "PutRecordBatch answers each record with an id of its own",
			Source: firehoseAPI + "API_PutRecordBatch.html", Covered: coverPerItem, check: checkBatchResults},
		{ID: "firehose/put-partial",
			Rule: "Above the delivery stream's throughput, single records or whole calls are refused", Slow: true,
			Source: firehoseGuide + "limits.html", Covered: coverPerItem, check: checkBatchPartial},
		{ID: "firehose/put-501", Rule: "PutRecordBatch refuses more than 500 records",
			Source: firehoseAPI + "API_PutRecordBatch.html", Covered: coverBatch, check: checkBatchLimit(501, 1)},
		{ID: "firehose/put-call-size", Rule: "PutRecordBatch refuses more than 4 MiB", Slow: true,
			Source: firehoseAPI + "API_PutRecordBatch.html", Covered: coverBatch, check: checkBatchLimit(5, 900<<10)},
		{ID: "firehose/put-record-size", Rule: "A record above 1000 KiB is refused",
			Source: firehoseAPI +
				"API_PutRecordBatch.html", Covered: "internal/stream/delivery TestPutNeverSendsARecordThatIsTooLarge",
			check: checkBatchLimit(1, 1000<<10+1)},
		{ID: "firehose/joined", Rule: "Records are joined as they are, without a newline between them",
			Source: firehoseGuide + "basic-deliver.html", Covered: coverLines, check: checkJoined},
		{ID: "firehose/buffer-time", Rule: "Records that several calls put within the buffering interval " +
			"become one object",
			Source: firehoseGuide + "basic-deliver.html", Covered: coverManyLines, check: checkBufferTime},
		{ID: "firehose/buffer-size",
			Rule:   "An object is delivered when the buffering size is reached, before the interval ends",
			Source: firehoseGuide + "basic-deliver.html", Covered: coverManyLines, check: checkBufferSize},
		{ID: "firehose/prefix-hour", Rule: "A prefix without expressions is followed by YYYY/MM/dd/HH/ (UTC)",
			Source: firehoseGuide + "s3-prefixes.html", Covered: coverFolder, check: checkPrefix("plain/", "",
				`^plain/\d{4}/\d{2}/\d{2}/\d{2}/[^/]+$`)},
		{ID: "firehose/prefix-timestamp",
			Rule:   "!{timestamp:…} in the prefix becomes the arrival time, and nothing is appended",
			Source: firehoseGuide + "s3-prefixes.html", Covered: coverFolder,
			check: checkPrefix("dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/", "errors/!{firehose:error-output-type}/",
				`^dt=\d{4}-\d{2}-\d{2}/hour=\d{2}/[^/]+$`)},
		{ID: "firehose/prefix-needs-error", Rule: "A prefix with expressions is refused without an error prefix",
			Source:  firehoseGuide + "s3-prefixes.html",
			Covered: "terraform/modules/stream/tests/stream.tftest.hcl refuses_errors_among_recommendations",
			check:   checkErrorPrefix},
		{ID: "firehose/gzip", Rule: "CompressionFormat GZIP compresses the object",
			Source: firehoseAPI +
				"API_ExtendedS3DestinationConfiguration.html", Covered: "internal/job/verify TestAuditReadsDeliveredObjects",
			check: checkGzip},
		{ID: "firehose/extension", Rule: "FileExtension ends the object's key",
			Source: firehoseAPI + "API_ExtendedS3DestinationConfiguration.html", Covered: coverDelivery, check: checkExtension},
		{ID: "firehose/object-key", Rule: "With a KMS key in the destination, objects are encrypted with it",
			Source: firehoseAPI + "API_EncryptionConfiguration.html", Covered: coverDelivery, check: checkObjectKey},
		{ID: "firehose/input-key",
			Rule: "If a KMS key encrypts records that wait in the delivery stream, the encryption is reported " +
				"as enabled",
			Source: firehoseAPI +
				"API_DeliveryStreamEncryptionConfigurationInput.html", Covered: coverDelivery, check: checkInputKey},
		{ID: "firehose/update-version", Rule: "UpdateDestination with an older version id is refused",
			Source: firehoseAPI +
				"API_UpdateDestination.html", Covered: "integration TestProvisionMakesAllThenNothingThenDestroysAll",
			check: checkUpdateVersion},
		{ID: "firehose/missing", Rule: "A missing delivery stream gives ResourceNotFoundException",
			Source: firehoseAPI +
				"API_PutRecordBatch.html", Covered: "internal/stream/delivery TestPutSurvivesCallsThatFailWhole",
			check: checkMissingDelivery},
	}
}

// delivery makes a bucket and a delivery stream into it, and returns when that is active. Its
// buffers are the shortest that AWS allows; change makes another destination.
func (p *place) delivery(ctx context.Context, changes ...func(*firehose.CreateDeliveryStreamInput)) {
	p.bucket(ctx)
	in := &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: &p.name, DeliveryStreamType: types.DeliveryStreamTypeDirectPut,
		ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			BucketARN: aws.String("arn:aws:s3:::" +
				p.name), RoleARN: aws.String(p.role(ctx)), Prefix: aws.String("out/"), ErrorOutputPrefix: aws.String("errors/"),
			BufferingHints: &types.BufferingHints{IntervalInSeconds: aws.Int32(0), SizeInMBs: aws.Int32(1)},
		},
		Tags: tagList(p.target.Tags, func(k, v *string) types.Tag { return types.Tag{Key: k, Value: v} }),
	}
	for _, change := range changes {
		change(in)
	}
	withRole(ctx, p, func() (*firehose.CreateDeliveryStreamOutput,
		error) {
		return p.firehose.CreateDeliveryStream(ctx, in)
	})
	p.undo(func(ctx context.Context) error {
		_, err := p.firehose.DeleteDeliveryStream(ctx, &firehose.DeleteDeliveryStreamInput{DeliveryStreamName: &p.name})
		return err
	})
	p.await(ctx, "the delivery stream never became active", func() bool {
		return p.deliveryStream(ctx).DeliveryStreamStatus == types.DeliveryStreamStatusActive
	})
}

func (p *place) deliveryStream(ctx context.Context) *types.DeliveryStreamDescription {
	return must(p.firehose.DescribeDeliveryStream(ctx,
		&firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &p.name})).DeliveryStreamDescription
}

func destination(change func(*types.ExtendedS3DestinationConfiguration)) func(*firehose.CreateDeliveryStreamInput) {
	return func(in *firehose.CreateDeliveryStreamInput) { change(in.ExtendedS3DestinationConfiguration) }
}

// deliver puts one batch.
func (p *place) deliver(ctx context.Context, data ...string) (*firehose.PutRecordBatchOutput, error) {
	records := make([]types.Record, len(data))
	for i, d := range data {
		records[i].Data = []byte(d)
	}
	return p.firehose.PutRecordBatch(ctx, &firehose.PutRecordBatchInput{DeliveryStreamName: &p.name, Records: records})
}

// delivered waits until the objects together hold at least size bytes, and returns them by key, as they are.
func (p *place) delivered(ctx context.Context, size int) map[string]string {
	objects := map[string]string{}
	p.await(ctx, "no object was delivered", func() bool {
		sum := 0
		for _, key := range p.keys(ctx, "") {
			if _, known := objects[key]; !known {
				objects[key] = p.object(ctx, key)
			}
		}
		for _, body := range objects {
			sum += len(body)
		}
		return sum >= size
	})
	return objects
}

// one is the only object's key and body.
func one(objects map[string]string) (key, body string) {
	if len(objects) != 1 {
		differs("%d objects", len(objects))
	}
	for key, body = range objects {
	}
	return key, body
}

func checkBatchResults(ctx context.Context, p *place) {
	p.delivery(ctx)
	out := must(p.deliver(ctx, digits(20)...))
	ids := map[string]bool{}
	for _, r := range out.RequestResponses {
		ids[aws.ToString(r.RecordId)] = true
	}
	if len(out.RequestResponses) != 20 || len(ids) != 20 || ids[""] || aws.ToInt32(out.FailedPutCount) != 0 {
		differs("20 records get %d results with %d different ids", len(out.RequestResponses), len(ids))
	}
}

// checkBatchPartial puts 24 MB at once; a delivery stream takes 1 to 5 MiB/s, by region.
func checkBatchPartial(ctx context.Context, p *place) {
	p.delivery(ctx)
	record := strings.Repeat("x", 800<<10)
	refusals := 0
	var odd error
	var mu sync.Mutex
	var wait sync.WaitGroup
	for range 6 {
		wait.Go(func() {
			out, err := p.deliver(ctx, record, record, record, record, record)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				refusals += int(aws.ToInt32(out.FailedPutCount))
			case codeOf(err) == "ServiceUnavailableException":
				refusals++
			default:
				odd = err
			}
		})
	}
	wait.Wait()
	check(odd)
	if refusals == 0 {
		differs("23 MiB are accepted at once: no record is ever refused, FailedPutCount is always 0")
	}
}

func checkBatchLimit(records, size int) func(context.Context, *place) {
	return func(ctx context.Context, p *place) {
		p.delivery(ctx)
		data := make([]string, records)
		for i := range data {
			data[i] = strings.Repeat("x", size)
		}
		_, err := p.deliver(ctx, data...)
		refused(err, "it is accepted", invalidInput, validation)
	}
}

func checkJoined(ctx context.Context, p *place) {
	p.delivery(ctx)
	must(p.deliver(ctx, "{1}\n", "{2}", "{3}\n"))
	const want = "{1}\n{2}{3}\n"
	if _, body := one(p.delivered(ctx, len(want))); body != want {
		differs("three records become %q", body)
	}
}

func checkBufferTime(ctx context.Context, p *place) {
	p.delivery(ctx, destination(func(d *types.ExtendedS3DestinationConfiguration) {
		d.BufferingHints.IntervalInSeconds = aws.Int32(10)
	}))
	must(p.deliver(ctx, "a\n"))
	p.pause(ctx, 2*time.Second) // as long as an unbuffered one may need
	must(p.deliver(ctx, "b\n"))
	if n := len(p.delivered(ctx, 4)); n != 1 {
		differs("no buffering: each call becomes an object at once")
	}
}

func checkBufferSize(ctx context.Context, p *place) {
	p.delivery(ctx, destination(func(d *types.ExtendedS3DestinationConfiguration) {
		d.BufferingHints.IntervalInSeconds = aws.Int32(300)
	}))
	record := strings.Repeat("x", 700<<10)
	must(p.deliver(ctx, record, record, record))
	p.delivered(ctx, 1<<20)
}

func checkPrefix(prefix, errorPrefix, want string) func(context.Context, *place) {
	return func(ctx context.Context, p *place) {
		p.delivery(ctx, destination(func(d *types.ExtendedS3DestinationConfiguration) {
			d.Prefix, d.ErrorOutputPrefix = &prefix, nil
			if errorPrefix != "" {
				d.ErrorOutputPrefix = &errorPrefix
			}
		}))
		must(p.deliver(ctx, "a\n"))
		key, _ := one(p.delivered(ctx, 2))
		if !regexp.MustCompile(want).MatchString(key) {
			differs("the folder is %s", folderForm(key))
		}
	}
}

var digit = regexp.MustCompile(`\d+`)

// folderForm is a key's folder with its numbers as #, so that it is the same in every run.
func folderForm(key string) string {
	return "`" + digit.ReplaceAllString(key[:strings.LastIndex(key, "/")+1], "#") + "`"
}

func checkErrorPrefix(ctx context.Context, p *place) {
	p.bucket(ctx)
	_, err := p.firehose.CreateDeliveryStream(ctx, &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: &p.name, DeliveryStreamType: types.DeliveryStreamTypeDirectPut,
		ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			BucketARN: aws.String("arn:aws:s3:::" +
				p.name), RoleARN: aws.String(p.role(ctx)), Prefix: aws.String("dt=!{timestamp:yyyy-MM-dd}/"),
		},
		Tags: tagList(p.target.Tags, func(k, v *string) types.Tag { return types.Tag{Key: k, Value: v} }),
	})
	if err == nil {
		p.undo(func(ctx context.Context) error {
			_, err := p.firehose.DeleteDeliveryStream(ctx, &firehose.DeleteDeliveryStreamInput{DeliveryStreamName: &p.name})
			return err
		})
	}
	refused(err, "it is accepted", invalidInput, validation)
}

func checkGzip(ctx context.Context, p *place) {
	p.delivery(ctx, destination(func(d *types.ExtendedS3DestinationConfiguration) {
		d.CompressionFormat = types.CompressionFormatGzip
	}))
	must(p.deliver(ctx, "a\n"))
	_, body := one(p.delivered(ctx, 2))
	unzip, err := gzip.NewReader(bytes.NewReader([]byte(body)))
	if err != nil {
		differs("the object is not compressed")
	}
	if text := must(io.ReadAll(unzip)); string(text) != "a\n" {
		differs("the object holds %q", text)
	}
}

func checkExtension(ctx context.Context, p *place) {
	p.delivery(ctx, destination(func(d *types.ExtendedS3DestinationConfiguration) {
		d.FileExtension = aws.String(".jsonl")
	}))
	must(p.deliver(ctx, "a\n"))
	if key, _ := one(p.delivered(ctx, 2)); !strings.HasSuffix(key, ".jsonl") {
		differs("the key has another ending")
	}
}

func checkObjectKey(ctx context.Context, p *place) {
	key := p.key(ctx)
	p.delivery(ctx, destination(func(d *types.ExtendedS3DestinationConfiguration) {
		d.EncryptionConfiguration = &types.EncryptionConfiguration{
			KMSEncryptionConfig: &types.KMSEncryptionConfig{AWSKMSKeyARN: &key}}
	}))
	must(p.deliver(ctx, "a\n"))
	name, _ := one(p.delivered(ctx, 2))
	head := must(p.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &p.name, Key: &name}))
	if aws.ToString(head.SSEKMSKeyId) != key {
		differs("the object's encryption is %q", head.ServerSideEncryption)
	}
}

func checkInputKey(ctx context.Context, p *place) {
	key := p.key(ctx)
	p.delivery(ctx, func(in *firehose.CreateDeliveryStreamInput) {
		in.DeliveryStreamEncryptionConfigurationInput = &types.DeliveryStreamEncryptionConfigurationInput{
			KeyType: types.KeyTypeCustomerManagedCmk, KeyARN: &key}
	})
	switch c := p.deliveryStream(ctx).DeliveryStreamEncryptionConfiguration; {
	case c == nil:
		differs("the description does not name the encryption")
	case c.Status != types.DeliveryStreamEncryptionStatusEnabled || aws.ToString(c.KeyARN) != key:
		differs("the status of the encryption is %q", c.Status)
	}
}

func checkUpdateVersion(ctx context.Context, p *place) {
	p.delivery(ctx)
	d := p.deliveryStream(ctx)
	update := func() error {
		_, err := p.firehose.UpdateDestination(ctx, &firehose.UpdateDestinationInput{
			DeliveryStreamName: &p.name, CurrentDeliveryStreamVersionId: d.VersionId,
			DestinationId:               d.Destinations[0].DestinationId,
			ExtendedS3DestinationUpdate: &types.ExtendedS3DestinationUpdate{Prefix: aws.String("other/")},
		})
		return err
	}
	check(update())
	if !p.within(ctx, shortly, func() bool { return aws.ToString(p.deliveryStream(ctx).VersionId) != *d.VersionId }) {
		differs("an update leaves the version id as it was")
	}
	refused(update(), "it is accepted", "ConcurrentModificationException", invalidInput)
}

func checkMissingDelivery(ctx context.Context, p *place) {
	_, err := p.deliver(ctx, "a")
	refused(err, "a record is accepted", "ResourceNotFoundException")
}
