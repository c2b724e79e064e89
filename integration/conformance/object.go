package conformance

import (
	"bytes"
	"context"
	"crypto/md5" // an ETag is an MD5
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	s3API   = "AmazonS3/latest/API/"
	s3Guide = "AmazonS3/latest/userguide/"
	// Tests of kindred that hold rules of S3.
	coverStore      = "integration TestS3Conforms"
	coverRace       = "internal/lake/commit TestOfRacingCommitsOneWinsAndTheOthersSayWhich"
	coverBucketTest = "terraform/modules/bucket/tests/bucket.tftest.hcl private_versioned_encrypted"
	preconditionErr = "PreconditionFailed"
)

func objectRows() []Behaviour {
	return []Behaviour{
		{ID: "s3/if-none-match",
			Rule:   "PutObject with If-None-Match: * writes an absent key and answers 412 for one that exists",
			Source: s3Guide + "conditional-writes.html", Covered: coverStore, check: checkIfNoneMatch},
		{ID: "s3/if-match", Rule: "PutObject with If-Match replaces an object that has this ETag, and " +
			"answers 412 if it has another",
			Source: s3Guide + "conditional-writes.html", Covered: coverStore, check: checkIfMatch},
		{ID: "s3/if-match-absent", Rule: "PutObject with If-Match answers 404 when the key is absent",
			Source: s3Guide + "conditional-writes.html", Covered: coverStore, check: checkIfMatchAbsent},
		{ID: "s3/race-create", Rule: "Of 16 writers with If-None-Match exactly one wins; the others get 412 or 409",
			Source: s3Guide + "conditional-writes.html", Covered: coverRace, check: checkRaceCreate},
		{ID: "s3/race-swap", Rule: "Of 16 writers with the same If-Match exactly one wins",
			Source: s3Guide + "conditional-writes.html", Covered: coverRace, check: checkRaceSwap},
		{ID: "s3/multipart-condition",
			Rule:   "CompleteMultipartUpload with If-None-Match answers 412 when the key was written meanwhile",
			Source: s3API + "API_CompleteMultipartUpload.html", check: checkMultipartCondition},
		{ID: "s3/multipart", Rule: "A multipart object appears whole when it is completed, and not before",
			Source: s3Guide + "mpuoverview.html", check: checkMultipart},
		{ID: "s3/multipart-small", Rule: "A part of less than 5 MiB is refused, unless it is the last one",
			Source: s3Guide + "qfacts.html", Covered: noTest +
				"kindred writes each object with one PutObject call", check: checkMultipartSmall},
		{ID: "s3/read-after-write", Rule: "Reads and lists see a write, an overwrite and a delete at once",
			Source: s3Guide + "Welcome.html", Covered: coverStore, check: checkReadAfterWrite},
		{ID: "s3/list-order", Rule: "ListObjectsV2 lists keys in the order of their UTF-8 bytes",
			Source: s3API + "API_ListObjectsV2.html", Covered: coverStore, check: checkListOrder},
		{ID: "s3/list-pages", Rule: "ListObjectsV2 gives pages of at most MaxKeys keys; together the pages " +
			"hold each key once",
			Source: s3API + "API_ListObjectsV2.html", Covered: coverStore, check: checkListKeys},
		{ID: "s3/etag", Rule: "The ETag of an object written by one PutObject, unencrypted or with S3's key, is its MD5",
			Source: s3API + "API_Object.html", check: checkETag},
		{ID: "s3/checksum", Rule: "A body is refused if it does not match the SHA-256 sent with it; a " +
			"matching SHA-256 is kept and given back",
			Source: s3Guide + "checking-object-integrity.html", Covered: "internal/lake/commit TestDamageIsErrCorrupt",
			check: checkChecksum},
		{ID: "s3/range", Rule: "GetObject gives the bytes of a Range",
			Source: s3API + "API_GetObject.html", check: checkRange},
		{ID: "s3/missing", Rule: "A missing key gives NoSuchKey, and a missing bucket NoSuchBucket; " +
			"deleting a missing key succeeds",
			Source: s3API + "ErrorResponses.html", Covered: "integration TestMissingBucketIsOneSentence", check: checkMissing},
		{ID: "s3/versions", Rule: "A versioned bucket keeps objects that were overwritten or deleted",
			Source: s3Guide + "versioning-workflows.html", Covered: coverBucketTest, check: checkVersions},
		{ID: "s3/bucket-key",
			Rule:   "With SSE-KMS as the bucket's default, an object that names no encryption is encrypted with that key",
			Source: s3Guide + "bucket-encryption.html", Covered: coverBucketTest, check: checkBucketKey},
		{ID: "s3/bucket-policy", Rule: "A Deny in the bucket's policy refuses the call",
			Source: s3Guide + "bucket-policies.html", Covered: coverBucketTest, check: checkBucketPolicy},
		{ID: "s3/public-block", Rule: "BlockPublicPolicy refuses a policy that lets everybody read",
			Source: s3Guide + "access-control-block-public-access.html", Covered: coverBucketTest, check: checkPublicBlock},
		{ID: "s3/lifecycle", Rule: "A lifecycle configuration is given back as it was put",
			Source: s3API + "API_PutBucketLifecycleConfiguration.html", Covered: coverBucketTest, check: checkLifecycle},
	}
}

// putObject writes an object and returns its ETag.
func (p *place) putObject(ctx context.Context, key, body string, options ...func(*s3.PutObjectInput)) (string, error) {
	in := &s3.PutObjectInput{Bucket: &p.name, Key: &key, Body: strings.NewReader(body)}
	for _, o := range options {
		o(in)
	}
	out, err := p.s3.PutObject(ctx, in)
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

func ifAbsent(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }

func ifMatch(etag string) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) { in.IfMatch = &etag }
}

func (p *place) object(ctx context.Context, key string) string {
	out := must(p.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &p.name, Key: &key}))
	defer func() { _ = out.Body.Close() }() // read whole
	return string(must(io.ReadAll(out.Body)))
}

// keys lists up to a thousand keys.
func (p *place) keys(ctx context.Context, prefix string) (keys []string) {
	for _, o := range must(p.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &p.name, Prefix: &prefix})).Contents {
		keys = append(keys, aws.ToString(o.Key))
	}
	return keys
}

func checkIfNoneMatch(ctx context.Context, p *place) {
	p.bucket(ctx)
	must(p.putObject(ctx, "key", "first", ifAbsent))
	_, err := p.putObject(ctx, "key", "second", ifAbsent)
	refused(err, "the second write overwrites the first", preconditionErr, "412")
	if p.object(ctx, "key") != "first" {
		differs("the refused write is there")
	}
}

func checkIfMatch(ctx context.Context, p *place) {
	p.bucket(ctx)
	old := must(p.putObject(ctx, "key", "first"))
	must(p.putObject(ctx, "key", "second", ifMatch(old)))
	_, err := p.putObject(ctx, "key", "third", ifMatch(old))
	refused(err, "a write over another ETag is accepted", preconditionErr, "412")
	if p.object(ctx, "key") != "second" {
		differs("the refused write is there")
	}
}

func checkIfMatchAbsent(ctx context.Context, p *place) {
	p.bucket(ctx)
	_, err := p.putObject(ctx, "key", "first", ifMatch(`"0123456789abcdef0123456789abcdef"`))
	refused(err, "the absent key is written", "NoSuchKey", "404")
}

// race has 16 writers with one condition and counts the winners.
func (p *place) race(ctx context.Context, condition func(*s3.PutObjectInput)) {
	const writers = 16
	var wins []string
	var odd []error
	var mu sync.Mutex
	var wait sync.WaitGroup
	for i := range writers {
		wait.Go(func() {
			body := fmt.Sprint("writer ", i)
			_, err := p.putObject(ctx, "key", body, condition)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				wins = append(wins, body)
			} else if !slices.Contains([]string{preconditionErr, "412", "ConditionalRequestConflict", "409"}, codeOf(err)) {
				odd = append(odd, err)
			}
		})
	}
	wait.Wait()
	if len(odd) > 0 {
		check(odd[0])
	}
	if len(wins) != 1 {
		differs("more than one writer wins, or none")
	}
	if p.object(ctx, "key") != wins[0] {
		differs("the object is not the winner's")
	}
}

func checkRaceCreate(ctx context.Context, p *place) {
	p.bucket(ctx)
	p.race(ctx, ifAbsent)
}

func checkRaceSwap(ctx context.Context, p *place) {
	p.bucket(ctx)
	p.race(ctx, ifMatch(must(p.putObject(ctx, "key", "before"))))
}

// upload is a multipart upload that is begun.
type upload struct {
	p     *place
	id    *string
	parts []types.CompletedPart
}

func (p *place) upload(ctx context.Context) *upload {
	out := must(p.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &p.name, Key: aws.String("key")}))
	p.undo(func(ctx context.Context) error { // of a completed one NoSuchUpload
		_, err := p.s3.AbortMultipartUpload(ctx,
			&s3.AbortMultipartUploadInput{Bucket: &p.name, Key: aws.String("key"), UploadId: out.UploadId})
		if code := codeOf(err); code == "NoSuchUpload" || code == "404" {
			return nil
		}
		return err
	})
	return &upload{p: p, id: out.UploadId}
}

func (u *upload) part(ctx context.Context, size int) {
	n := aws.Int32(int32(len(u.parts) + 1)) // two parts at most
	out := must(u.p.s3.UploadPart(ctx, &s3.UploadPartInput{Bucket: &u.p.name, Key: aws.String("key"), UploadId: u.id,
		PartNumber: n,
		Body:       bytes.NewReader(make([]byte, size))}))
	u.parts = append(u.parts, types.CompletedPart{PartNumber: n, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32})
}

func (u *upload) complete(ctx context.Context, condition *string) error {
	_, err := u.p.s3.CompleteMultipartUpload(ctx,
		&s3.CompleteMultipartUploadInput{Bucket: &u.p.name, Key: aws.String("key"), UploadId: u.id,
			IfNoneMatch: condition, MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts}})
	return err
}

func checkMultipartCondition(ctx context.Context, p *place) {
	p.bucket(ctx)
	u := p.upload(ctx)
	u.part(ctx, 10)
	must(p.putObject(ctx, "key", "meanwhile"))
	refused(u.complete(ctx, aws.String("*")), "the completion overwrites it", preconditionErr, "412")
}

const leastPart = 5 << 20

func checkMultipart(ctx context.Context, p *place) {
	p.bucket(ctx)
	u := p.upload(ctx)
	u.part(ctx, leastPart)
	u.part(ctx, 1)
	if len(p.keys(ctx, "")) > 0 {
		differs("the unfinished object is listed")
	}
	check(u.complete(ctx, nil))
	if n := len(p.object(ctx, "key")); n != leastPart+1 {
		differs("the object has %d bytes, not %d", n, leastPart+1)
	}
}

func checkMultipartSmall(ctx context.Context, p *place) {
	p.bucket(ctx)
	u := p.upload(ctx)
	u.part(ctx, leastPart-1)
	u.part(ctx, 1)
	refused(u.complete(ctx, nil), "it is accepted", "EntityTooSmall")
}

func checkReadAfterWrite(ctx context.Context, p *place) {
	p.bucket(ctx)
	for i := range 10 {
		body := fmt.Sprint("body ", i)
		must(p.putObject(ctx, "key", body))
		if p.object(ctx, "key") != body || len(p.keys(ctx, "")) != 1 {
			differs("a read gives an older body")
		}
	}
	must(p.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &p.name, Key: aws.String("key")}))
	_, err := p.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &p.name, Key: aws.String("key")})
	refused(err, "a deleted object is read", "NoSuchKey", "404")
	if len(p.keys(ctx, "")) > 0 {
		differs("a deleted object is listed")
	}
}

func checkListOrder(ctx context.Context, p *place) {
	p.bucket(ctx)
	want := []string{"A", "Z", "a", "a!", "a/b", "a0", "b", "é", "中", "😀"} // 😀 is before 中's like in UTF-16 only
	slices.Sort(want)
	for _, key := range slices.Backward(want) {
		must(p.putObject(ctx, key, "x"))
	}
	if !slices.Equal(p.keys(ctx, ""), want) {
		differs("keys come in another order")
	}
}

func checkListKeys(ctx context.Context, p *place) {
	p.bucket(ctx)
	for i := range 7 {
		must(p.putObject(ctx, fmt.Sprint("in/", i), "x"))
	}
	must(p.putObject(ctx, "out", "x"))
	var keys []string
	pages := s3.NewListObjectsV2Paginator(p.s3,
		&s3.ListObjectsV2Input{Bucket: &p.name, Prefix: aws.String("in/"), MaxKeys: aws.Int32(3)})
	for pages.HasMorePages() {
		page := must(pages.NextPage(ctx))
		if len(page.Contents) > 3 {
			differs("a page has more than MaxKeys")
		}
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	if slices.Sort(keys); len(slices.Compact(keys)) != 7 {
		differs("pages of 7 keys give %d", len(keys))
	}
}

func checkETag(ctx context.Context, p *place) {
	p.bucket(ctx)
	sum := md5.Sum([]byte("body"))
	if must(p.putObject(ctx, "key", "body")) != `"`+hex.EncodeToString(sum[:])+`"` {
		differs("it is something else")
	}
}

func checkChecksum(ctx context.Context, p *place) {
	p.bucket(ctx)
	sum := func(of string) func(*s3.PutObjectInput) {
		sha := sha256.Sum256([]byte(of))
		text := base64.StdEncoding.EncodeToString(sha[:])
		return func(in *s3.PutObjectInput) {
			in.ChecksumSHA256, in.ChecksumAlgorithm = &text, types.ChecksumAlgorithmSha256
		}
	}
	must(p.putObject(ctx, "key", "body", sum("body")))
	head := must(p.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &p.name, Key: aws.String("key"),
		ChecksumMode: types.ChecksumModeEnabled}))
	if head.ChecksumSHA256 == nil {
		differs("the checksum is not given back")
	}
	_, err := p.putObject(ctx, "other", "damaged", sum("body"))
	refused(err, "a body with a wrong checksum is accepted", "BadDigest", "InvalidRequest",
		"XAmzContentChecksumMismatch", "400")
}

func checkRange(ctx context.Context, p *place) {
	p.bucket(ctx)
	must(p.putObject(ctx, "key", "0123456789"))
	out := must(p.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &p.name, Key: aws.String("key"),
		Range: aws.String("bytes=3-5")}))
	defer func() { _ = out.Body.Close() }() // read whole
	if got := string(must(io.ReadAll(out.Body))); got != "345" {
		differs("bytes 3-5 are %q", got)
	}
}

func checkMissing(ctx context.Context, p *place) {
	p.bucket(ctx)
	_, err := p.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &p.name, Key: aws.String("key")})
	refused(err, "a missing key is read", "NoSuchKey")
	_, err = p.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(p.name + "-missing")})
	refused(err, "a missing bucket is listed", "NoSuchBucket")
	must(p.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &p.name, Key: aws.String("key")}))
}

func checkVersions(ctx context.Context, p *place) {
	p.bucket(ctx)
	must(p.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket: &p.name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}))
	must(p.putObject(ctx, "key", "old"))
	must(p.putObject(ctx, "key", "new"))
	must(p.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &p.name, Key: aws.String("key")}))
	kept := map[string]bool{}
	list := must(p.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &p.name}))
	for _, v := range list.Versions {
		out := must(p.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &p.name, Key: v.Key, VersionId: v.VersionId}))
		kept[string(must(io.ReadAll(out.Body)))] = true
		check(out.Body.Close())
	}
	if !kept["old"] || !kept["new"] || len(list.DeleteMarkers) != 1 {
		differs("of two bodies and a delete it keeps %d bodies and %d markers", len(kept), len(list.DeleteMarkers))
	}
}

func checkBucketKey(ctx context.Context, p *place) {
	p.bucket(ctx)
	key := p.key(ctx)
	must(p.s3.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: &p.name,
		ServerSideEncryptionConfiguration: &types.ServerSideEncryptionConfiguration{
			Rules: []types.ServerSideEncryptionRule{{BucketKeyEnabled: aws.Bool(true),
				ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{
					SSEAlgorithm: types.ServerSideEncryptionAwsKms, KMSMasterKeyID: &key,
				}}},
		}}))
	must(p.putObject(ctx, "key", "body"))
	head := must(p.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &p.name, Key: aws.String("key")}))
	if head.ServerSideEncryption != types.ServerSideEncryptionAwsKms || aws.ToString(head.SSEKMSKeyId) != key {
		differs("the object's encryption is %q, or names another key", head.ServerSideEncryption)
	}
}

func checkBucketPolicy(ctx context.Context, p *place) {
	p.bucket(ctx)
	must(p.putObject(ctx, "closed/key", "body"))
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/closed/*"}]}`, p.name)
	must(p.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &p.name, Policy: &policy}))
	limit := shortly
	if p.target.OnAWS {
		limit = p.patience()
	}
	var err error
	p.within(ctx, limit, func() bool {
		_, err = p.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &p.name, Key: aws.String("closed/key")})
		return err != nil
	})
	refused(err, "the denied object is read", "Forbidden", "AccessDenied", "403")
}

func checkPublicBlock(ctx context.Context, p *place) {
	p.bucket(ctx)
	yes := aws.Bool(true)
	must(p.s3.PutPublicAccessBlock(ctx,
		&s3.PutPublicAccessBlockInput{Bucket: &p.name, PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
			BlockPublicAcls: yes, BlockPublicPolicy: yes, IgnorePublicAcls: yes, RestrictPublicBuckets: yes,
		}}))
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/*"}]}`, p.name)
	_, err := p.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &p.name, Policy: &policy})
	refused(err, "the policy is accepted", "AccessDenied")
}

func checkLifecycle(ctx context.Context, p *place) {
	p.bucket(ctx)
	must(p.s3.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: &p.name,
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{{
			ID: aws.String("old"), Status: types.ExpirationStatusEnabled,
			Filter:                      &types.LifecycleRuleFilter{Prefix: aws.String("")},
			NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(30)},
		}}}}))
	rules := must(p.s3.GetBucketLifecycleConfiguration(ctx,
		&s3.GetBucketLifecycleConfigurationInput{Bucket: &p.name})).Rules
	if len(rules) != 1 || rules[0].NoncurrentVersionExpiration == nil ||
		aws.ToInt32(rules[0].NoncurrentVersionExpiration.NoncurrentDays) != 30 {
		differs("the rule comes back without what it says")
	}
}
