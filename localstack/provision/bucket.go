package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"kindred/localstack/settings"
)

// bucket makes a bucket that is private and, if the settings say so, versioned.
func (p *provisioner) bucket(ctx context.Context, b settings.Bucket, region string) error {
	name := aws.String(b.Name)
	var missing *types.NotFound
	_, err := p.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: name})
	switch {
	case errors.As(err, &missing):
		in := &s3.CreateBucketInput{Bucket: name}
		if region != "us-east-1" { // the one region that must not be named
			in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(
				region)}
		}
		if _, err := p.s3.CreateBucket(ctx, in); err != nil {
			return fmt.Errorf("make bucket %s: %w", b.Name, err)
		}
		p.changed("bucket %s: made", b.Name)
	case err != nil:
		return fmt.Errorf("look at bucket %s: %w", b.Name, err)
	}
	if err := p.bucketVersioning(ctx, b); err != nil {
		return err
	}
	if err := p.bucketExpiry(ctx, b); err != nil {
		return err
	}
	return p.bucketPrivate(ctx, b)
}

func (p *provisioner) bucketVersioning(ctx context.Context, b settings.Bucket) error {
	current, err := p.s3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: aws.String(b.Name)})
	if err != nil {
		return fmt.Errorf("read versioning of bucket %s: %w", b.Name, err)
	}
	want := types.BucketVersioningStatusSuspended
	if b.Versioned {
		want = types.BucketVersioningStatusEnabled
	}
	if current.Status == want || current.Status == "" && !b.Versioned {
		return nil
	}
	_, err = p.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket: aws.String(b.Name), VersioningConfiguration: &types.VersioningConfiguration{Status: want},
	})
	if err != nil {
		return fmt.Errorf("set versioning of bucket %s: %w", b.Name, err)
	}
	p.changed("bucket %s: versioning %s", b.Name, want)
	return nil
}

// bucketExpiry sets the lifecycle rule. A bucket without one in the settings may have any.
func (p *provisioner) bucketExpiry(ctx context.Context, b settings.Bucket) error {
	if b.Expire == nil {
		return nil
	}
	current, err := p.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{
		Bucket: aws.String(b.Name)})
	var apiErr smithy.APIError
	if err != nil && (!errors.As(err, &apiErr) || apiErr.ErrorCode() != "NoSuchLifecycleConfiguration") {
		return fmt.Errorf("read the lifecycle of bucket %s: %w", b.Name, err)
	}
	if err == nil && slices.ContainsFunc(current.Rules, func(r types.LifecycleRule) bool {
		return r.Status == types.ExpirationStatusEnabled && r.Filter != nil && r.Expiration != nil &&
			aws.ToString(r.Filter.Prefix) == b.Expire.Prefix && aws.ToInt32(r.Expiration.Days) == b.Expire.Days
	}) {
		return nil
	}
	_, err = p.s3.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: aws.String(b.Name), LifecycleConfiguration: &types.BucketLifecycleConfiguration{
			Rules: []types.LifecycleRule{{ID: aws.String("expire"), Status: types.ExpirationStatusEnabled,
				Filter:     &types.LifecycleRuleFilter{Prefix: aws.String(b.Expire.Prefix)},
				Expiration: &types.LifecycleExpiration{Days: aws.Int32(b.Expire.Days)}}}},
	})
	if err != nil {
		return fmt.Errorf("set the lifecycle of bucket %s: %w", b.Name, err)
	}
	p.changed("bucket %s: %s expires after %d days", b.Name, b.Expire.Prefix, b.Expire.Days)
	return nil
}

func (p *provisioner) bucketPrivate(ctx context.Context, b settings.Bucket) error {
	current, err := p.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: aws.String(b.Name)})
	var apiErr smithy.APIError
	if err != nil && (!errors.As(err, &apiErr) || apiErr.ErrorCode() != "NoSuchPublicAccessBlockConfiguration") {
		return fmt.Errorf("read public access block of bucket %s: %w", b.Name, err)
	}
	if err == nil && current.PublicAccessBlockConfiguration != nil {
		c := current.PublicAccessBlockConfiguration
		if aws.ToBool(c.BlockPublicAcls) && aws.ToBool(c.BlockPublicPolicy) &&
			aws.ToBool(c.IgnorePublicAcls) && aws.ToBool(c.RestrictPublicBuckets) {
			return nil
		}
	}
	yes := aws.Bool(true)
	_, err = p.s3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{
		Bucket: aws.String(b.Name),
		PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{
			BlockPublicAcls: yes, BlockPublicPolicy: yes, IgnorePublicAcls: yes, RestrictPublicBuckets: yes,
		},
	})
	if err != nil {
		return fmt.Errorf("block public access of bucket %s: %w", b.Name, err)
	}
	p.changed("bucket %s: public access blocked", b.Name)
	return nil
}
