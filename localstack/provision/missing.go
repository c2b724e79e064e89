package provision

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"kindred/localstack/settings"
)

// Missing lists what Apply would have to make: buckets, streams and functions that do not exist. It
// changes nothing.
func Missing(ctx context.Context, cfg aws.Config, s settings.Settings) ([]string, error) {
	p, err := open(ctx, cfg, s)
	if err != nil {
		return nil, err
	}
	var missing []string
	note := func(what string, err error) error {
		var api smithy.APIError
		if err == nil || !errors.As(err, &api) {
			return err
		}
		switch api.ErrorCode() {
		case "NotFound", "NoSuchBucket", "ResourceNotFoundException":
			missing = append(missing, what)
			return nil
		}
		return fmt.Errorf("look at %s: %w", what, err)
	}
	for _, b := range s.Buckets.All() {
		_, err := p.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(b.Name)})
		if err := note("bucket "+b.Name, err); err != nil {
			return nil, err
		}
	}
	_, err = p.kinesis.DescribeStreamSummary(ctx,
		&kinesis.DescribeStreamSummaryInput{StreamName: aws.String(s.Stream.Name)})
	if err := note("stream "+s.Stream.Name, err); err != nil {
		return nil, err
	}
	_, err = p.describeDelivery(ctx)
	if err := note("delivery stream "+s.Delivery.Name, err); err != nil {
		return nil, err
	}
	for _, f := range s.Functions.All() {
		_, err := p.lambda.GetFunctionConfiguration(ctx,
			&lambda.GetFunctionConfigurationInput{FunctionName: aws.String(f.Name)})
		if err := note("function "+f.Name, err); err != nil {
			return nil, err
		}
	}
	return missing, nil
}
