//go:build !onlambda

package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/objectkey"
	"kindred/internal/platform/retry"
)

// conflict repeats a conditional write that met another one in flight (409
// ConditionalRequestConflict, which S3 asks to retry). The other write ends within the time of a
// request. The SDK itself retries every other error that is worth it.
var conflict = retry.Policy{Tries: 5, FirstPause: 50 * time.Millisecond, LongestPause: time.Second, Jitter: 0.2,
	Again: func(err error) bool { return retry.Status(err) == http.StatusConflict }}

// S3 is the part of a bucket under one prefix. One PutObject carries an object, so 5 GB is the largest.
type S3 struct {
	client *s3.Client
	bucket string
	prefix string // empty, or ends with a slash
}

var _ Store = (*S3)(nil)

// NewS3 makes a store of the keys under prefix, which may be empty. It makes no request.
func NewS3(client *s3.Client, bucket, prefix string) *S3 {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return &S3{client: client, bucket: bucket, prefix: prefix}
}

func openS3(ctx context.Context, bucket, prefix string) (*S3, error) {
	cfg, err := awsclient.Load(ctx)
	if err != nil {
		return nil, err
	}
	store := NewS3(awsclient.S3(cfg), bucket, prefix)
	_, err = store.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket})
	switch retry.Status(err) {
	case http.StatusNotFound:
		return nil, fmt.Errorf("%w: bucket %s %w", ErrLocation, bucket, envconfig.ErrAbsent)
	case http.StatusForbidden: // objects may be allowed where the bucket itself is not
		return store, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reach bucket %s: %w", bucket, err)
	}
	return store, nil
}

// Get opens an object.
func (s *S3) Get(ctx context.Context, key string) (io.ReadCloser, Info, error) {
	if err := objectkey.Check(key); err != nil {
		return nil, Info{}, err
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: s.key(key)})
	if err != nil {
		return nil, Info{}, s.wrap("read", key, err)
	}
	info := Info{Key: key, ETag: aws.ToString(out.ETag), Size: aws.ToInt64(out.ContentLength),
		Modified: aws.ToTime(out.LastModified)}
	return out.Body, info, nil
}

// GetRange reads a part of an object.
func (s *S3) GetRange(ctx context.Context, key string, offset, size int64) (part []byte, err error) {
	if err := objectkey.Check(key); err != nil {
		return nil, err
	}
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: s.key(key),
		Range: aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+size-1))})
	if retry.Status(err) == http.StatusRequestedRangeNotSatisfiable { // the object ends before
		return nil, nil
	}
	if err != nil {
		return nil, s.wrap("read", key, err)
	}
	defer func() { err = errors.Join(err, out.Body.Close()) }()
	return io.ReadAll(out.Body)
}

// Put writes an object.
func (s *S3) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, cond Condition) (Info, error) {
	if err := objectkey.Check(key); err != nil {
		return Info{}, err
	}
	input := &s3.PutObjectInput{Bucket: &s.bucket, Key: s.key(key), Body: body, ContentLength: &size}
	if cond.IfNoneMatch {
		input.IfNoneMatch = aws.String("*")
	}
	if cond.IfMatch != "" {
		input.IfMatch = &cond.IfMatch
	}
	var out *s3.PutObjectOutput
	err := conflict.Do(ctx, func(ctx context.Context) (err error) {
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("rewind body of %s: %w", key, err)
		}
		out, err = s.client.PutObject(ctx, input)
		return err
	})
	if err != nil {
		return Info{}, s.wrapPut(key, err, cond)
	}
	return Info{Key: key, ETag: aws.ToString(out.ETag), Size: size, Modified: time.Now()}, nil
}

// List yields the objects under prefix in key order.
func (s *S3) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: s.key(prefix)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Info{}, s.wrap("list", prefix, err))
				return
			}
			for _, o := range page.Contents {
				key := strings.TrimPrefix(aws.ToString(o.Key), s.prefix)
				if !yield(Info{Key: key, Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)}, nil) {
					return
				}
			}
		}
	}
}

// Delete removes an object.
func (s *S3) Delete(ctx context.Context, key string) error {
	if err := objectkey.Check(key); err != nil {
		return err
	}
	if _, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: s.key(key)}); err != nil {
		return s.wrap("delete", key, err)
	}
	return nil
}

// String is s3://bucket/prefix.
func (s *S3) String() string {
	return strings.TrimSuffix("s3://"+s.bucket+"/"+s.prefix, "/")
}

func (s *S3) key(key string) *string { return aws.String(s.prefix + key) }

// wrapPut names the failed write. With If-Match an absent object is a condition that does not hold.
// A conflict that lasts (409) is no answer about the condition: the other write may yet fail, so
// nobody may take the object for written.
func (s *S3) wrapPut(key string, err error, cond Condition) error {
	code := retry.Status(err)
	absent := cond.IfMatch != "" && code == http.StatusNotFound && !isCode(err, "NoSuchBucket")
	if code == http.StatusPreconditionFailed || absent {
		return fmt.Errorf("write %s to %s: %w", key, s, ErrPrecondition)
	}
	return s.wrap("write", key, err)
}

func (s *S3) wrap(verb, key string, err error) error {
	switch {
	case isCode(err, "NoSuchBucket"):
		err = fmt.Errorf("%w: bucket %s %w", ErrLocation, s.bucket, envconfig.ErrAbsent)
	case retry.Status(err) == http.StatusNotFound:
		err = ErrNotFound
	}
	return fmt.Errorf("%s %s of %s: %w", verb, key, s, err)
}

func isCode(err error, code string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == code
}
