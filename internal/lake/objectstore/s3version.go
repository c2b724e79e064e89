//go:build !onlambda

package objectstore

import (
	"context"
	"io"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

var _ Keeper = (*S3)(nil)

// Versions yields noncurrent versions.
func (s *S3) Versions(ctx context.Context, prefix string) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		pages := s3.NewListObjectVersionsPaginator(s.client, &s3.ListObjectVersionsInput{Bucket: &s.bucket,
			Prefix: s.key(prefix)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Version{}, s.wrap("list versions of", prefix, err))
				return
			}
			for _, o := range page.Versions {
				if aws.ToBool(o.IsLatest) {
					continue
				}
				info := Info{Key: strings.TrimPrefix(aws.ToString(o.Key), s.prefix), ETag: aws.ToString(o.ETag),
					Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)}
				if !yield(Version{info, aws.ToString(o.VersionId)}, nil) {
					return
				}
			}
		}
	}
}

// GetVersion opens a version.
func (s *S3) GetVersion(ctx context.Context, v Version) (io.ReadCloser, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: s.key(v.Key), VersionId: &v.ID})
	if err != nil {
		return nil, s.wrap("read a version of", v.Key, err)
	}
	return out.Body, nil
}

// DeleteVersion deletes a version.
func (s *S3) DeleteVersion(ctx context.Context, v Version) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: s.key(v.Key), VersionId: &v.ID})
	if err != nil {
		return s.wrap("delete a version of", v.Key, err)
	}
	return nil
}
