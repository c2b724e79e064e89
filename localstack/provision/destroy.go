package provision

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"kindred/localstack/settings"
)

// Destroy deletes everything in s, the buckets' contents and the functions' logs too, users before
// what they use. What is not there is no error, so Destroy also clears up after an Apply that
// failed half way.
func Destroy(ctx context.Context, cfg aws.Config, s settings.Settings) error {
	p, err := open(ctx, cfg, s)
	if err != nil {
		return err
	}
	steps := []func(context.Context) error{p.destroyMappings, p.destroyFunctions, p.destroyDelivery, p.destroyStream,
		p.destroyRoles}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	for _, b := range s.Buckets.All() {
		if err := p.destroyBucket(ctx, b.Name); err != nil {
			return err
		}
	}
	return nil
}

func (p *provisioner) destroyMappings(ctx context.Context) error {
	found, err := p.mappings(ctx)
	var missing *lambdatypes.ResourceNotFoundException
	if errors.As(err, &missing) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, m := range found {
		if err := p.deleteMapping(ctx, aws.ToString(m.UUID)); err != nil {
			return err
		}
	}
	return nil
}

// deleteMapping deletes one mapping and waits until it is gone.
func (p *provisioner) deleteMapping(ctx context.Context, id string) error {
	var missing *lambdatypes.ResourceNotFoundException
	var busy *lambdatypes.ResourceInUseException // being made, changed or deleted: ask again
	return settle(ctx, "mapping "+id+" is deleted", func(ctx context.Context) (bool, string, error) {
		m, err := p.lambda.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: aws.String(id)})
		if errors.As(err, &missing) {
			return true, "", nil
		}
		if err != nil || aws.ToString(m.State) == "Deleting" {
			return false, "Deleting", err
		}
		_, err = p.lambda.DeleteEventSourceMapping(ctx, &lambda.DeleteEventSourceMappingInput{UUID: aws.String(id)})
		if errors.As(err, &busy) || errors.As(err, &missing) {
			err = nil
		}
		return false, aws.ToString(m.State), err
	})
}

// destroyFunctions deletes the functions, their URLs with them.
func (p *provisioner) destroyFunctions(ctx context.Context) error {
	for _, f := range p.settings.Functions.All() {
		var missing *lambdatypes.ResourceNotFoundException
		_, err := p.lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: aws.String(f.Name)})
		if err != nil && !errors.As(err, &missing) {
			return fmt.Errorf("delete function %s: %w", f.Name, err)
		}
		var noLog *logtypes.ResourceNotFoundException // Lambda makes the group with the first invocation
		_, err = p.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String(logGroup(f))})
		if err != nil && !errors.As(err, &noLog) {
			return fmt.Errorf("delete log group %s: %w", logGroup(f), err)
		}
	}
	return nil
}

func (p *provisioner) destroyDelivery(ctx context.Context) error {
	name := p.settings.Delivery.Name
	var missing *firehosetypes.ResourceNotFoundException
	_, err := p.firehose.DeleteDeliveryStream(ctx,
		&firehose.DeleteDeliveryStreamInput{DeliveryStreamName: aws.String(name)})
	if errors.As(err, &missing) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete delivery stream %s: %w", name, err)
	}
	return settle(ctx, "delivery stream "+name+" is deleted", func(ctx context.Context) (bool, string, error) {
		current, err := p.describeDelivery(ctx)
		if errors.As(err, &missing) {
			return true, "", nil
		}
		if err != nil {
			return false, "", err
		}
		return false, string(current.DeliveryStreamStatus), nil
	})
}

func (p *provisioner) destroyStream(ctx context.Context) error {
	name := p.settings.Stream.Name
	var missing *kinesistypes.ResourceNotFoundException
	_, err := p.kinesis.DeleteStream(ctx,
		&kinesis.DeleteStreamInput{StreamName: aws.String(name), EnforceConsumerDeletion: aws.Bool(true)})
	if errors.As(err, &missing) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete stream %s: %w", name, err)
	}
	return settle(ctx, "stream "+name+" is deleted", func(ctx context.Context) (bool, string, error) {
		current, err := p.describeStream(ctx)
		if errors.As(err, &missing) {
			return true, "", nil
		}
		if err != nil {
			return false, "", err
		}
		return false, string(current.StreamStatus), nil
	})
}

func (p *provisioner) destroyRoles(ctx context.Context) error {
	var missing *iamtypes.NoSuchEntityException
	for _, name := range []string{p.settings.Functions.Recommend.RoleName, p.settings.Functions.Serve.RoleName,
		p.settings.Delivery.RoleName} {
		_, err := p.iam.DeleteRolePolicy(ctx,
			&iam.DeleteRolePolicyInput{RoleName: aws.String(name), PolicyName: aws.String(policyName)})
		if err != nil && !errors.As(err, &missing) {
			return fmt.Errorf("delete policy of role %s: %w", name, err)
		}
		if _, err := p.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String(name)}); err != nil &&
			!errors.As(err, &missing) {
			return fmt.Errorf("delete role %s: %w", name, err)
		}
	}
	return nil
}

// destroyBucket deletes every version of every object, then the bucket.
func (p *provisioner) destroyBucket(ctx context.Context, name string) error {
	var missing *s3types.NotFound
	if _, err := p.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(name)}); errors.As(err, &missing) {
		return nil
	}
	pages := s3.NewListObjectVersionsPaginator(p.s3, &s3.ListObjectVersionsInput{Bucket: aws.String(name)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list versions in bucket %s: %w", name, err)
		}
		var objects []s3types.ObjectIdentifier
		for _, v := range page.Versions {
			objects = append(objects, s3types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, m := range page.DeleteMarkers {
			objects = append(objects, s3types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
		}
		if len(objects) == 0 {
			continue
		}
		out, err := p.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: aws.String(name), Delete: &s3types.Delete{Objects: objects, Quiet: aws.Bool(true)},
		})
		if err != nil {
			return fmt.Errorf("empty bucket %s: %w", name, err)
		}
		if len(out.Errors) > 0 {
			first := out.Errors[0]
			return fmt.Errorf("empty bucket %s: %d objects stay, the first is %s: %s",
				name, len(out.Errors), aws.ToString(first.Key), aws.ToString(first.Message))
		}
	}
	if _, err := p.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String(name)}); err != nil {
		return fmt.Errorf("delete bucket %s: %w", name, err)
	}
	return nil
}
