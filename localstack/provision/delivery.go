package provision

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// delivery makes the delivery stream into the recommendations bucket, or mends its destination, and
// returns its ARN.
func (p *provisioner) delivery(ctx context.Context, roleARN string) (arn string, err error) {
	s := p.settings.Delivery
	name := aws.String(s.Name)
	bucketARN := aws.String("arn:aws:s3:::" + p.settings.Buckets.Recommendations.Name)
	buffering := &types.BufferingHints{
		SizeInMBs: aws.Int32(s.BufferingSizeMiB), IntervalInSeconds: aws.Int32(s.BufferingIntervalSeconds),
	}
	_, err = p.describeDelivery(ctx)
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		_, err := p.firehose.CreateDeliveryStream(ctx, &firehose.CreateDeliveryStreamInput{
			DeliveryStreamName: name, DeliveryStreamType: types.DeliveryStreamTypeDirectPut,
			ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
				BucketARN: bucketARN, RoleARN: aws.String(roleARN), Prefix: aws.String(s.Prefix),
				ErrorOutputPrefix: aws.String(s.ErrorPrefix),
				BufferingHints:    buffering, CompressionFormat: types.CompressionFormat(s.Compression),
			},
		})
		if err != nil {
			return "", fmt.Errorf("make delivery stream %s: %w", s.Name, err)
		}
		p.changed("delivery stream %s: made", s.Name)
	case err != nil:
		return "", fmt.Errorf("look at delivery stream %s: %w", s.Name, err)
	}
	current, err := p.deliveryActive(ctx)
	if err != nil {
		return "", err
	}
	if len(current.Destinations) != 1 {
		return "", fmt.Errorf("check delivery stream %s: it has %d destinations, not one; delete it", s.Name,
			len(current.Destinations))
	}
	destination := current.Destinations[0]
	if sameDestination(destination.ExtendedS3DestinationDescription, types.ExtendedS3DestinationDescription{
		BucketARN: bucketARN, RoleARN: aws.String(roleARN), Prefix: aws.String(s.Prefix),
		ErrorOutputPrefix: aws.String(s.ErrorPrefix),
		BufferingHints:    buffering, CompressionFormat: types.CompressionFormat(s.Compression),
	}) {
		return aws.ToString(current.DeliveryStreamARN), nil
	}
	_, err = p.firehose.UpdateDestination(ctx, &firehose.UpdateDestinationInput{
		DeliveryStreamName: name, CurrentDeliveryStreamVersionId: current.VersionId, DestinationId: destination.DestinationId,
		ExtendedS3DestinationUpdate: &types.ExtendedS3DestinationUpdate{
			BucketARN: bucketARN, RoleARN: aws.String(roleARN), Prefix: aws.String(s.Prefix),
			ErrorOutputPrefix: aws.String(s.ErrorPrefix),
			BufferingHints:    buffering, CompressionFormat: types.CompressionFormat(s.Compression),
		},
	})
	if err != nil {
		return "", fmt.Errorf("change destination of delivery stream %s: %w", s.Name, err)
	}
	p.changed("delivery stream %s: destination changed", s.Name)
	if current, err = p.deliveryActive(ctx); err != nil {
		return "", err
	}
	return aws.ToString(current.DeliveryStreamARN), nil
}

func sameDestination(a *types.ExtendedS3DestinationDescription, b types.ExtendedS3DestinationDescription) bool {
	return a != nil && a.BufferingHints != nil &&
		aws.ToString(a.BucketARN) == aws.ToString(b.BucketARN) && aws.ToString(a.RoleARN) == aws.ToString(b.RoleARN) &&
		aws.ToString(a.Prefix) == aws.ToString(b.Prefix) &&
		aws.ToString(a.ErrorOutputPrefix) == aws.ToString(b.ErrorOutputPrefix) &&
		aws.ToInt32(a.BufferingHints.SizeInMBs) == aws.ToInt32(b.BufferingHints.SizeInMBs) &&
		aws.ToInt32(a.BufferingHints.IntervalInSeconds) == aws.ToInt32(b.BufferingHints.IntervalInSeconds) &&
		a.CompressionFormat == b.CompressionFormat
}

func (p *provisioner) deliveryActive(ctx context.Context) (current *types.DeliveryStreamDescription, err error) {
	err = settle(ctx, "delivery stream "+p.settings.Delivery.Name+" is active",
		func(ctx context.Context) (bool, string, error) {
			current, err = p.describeDelivery(ctx)
			switch {
			case err != nil:
				return false, "", err
			case current.DeliveryStreamStatus == types.DeliveryStreamStatusCreatingFailed && current.FailureDescription != nil:
				return false, "", fmt.Errorf("%s: %s", current.FailureDescription.Type,
					aws.ToString(current.FailureDescription.Details))
			}
			return current.DeliveryStreamStatus == types.DeliveryStreamStatusActive, string(current.DeliveryStreamStatus), nil
		})
	return current, err
}

func (p *provisioner) describeDelivery(ctx context.Context) (*types.DeliveryStreamDescription, error) {
	name := aws.String(p.settings.Delivery.Name)
	out, err := p.firehose.DescribeDeliveryStream(ctx, &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: name})
	if err != nil {
		return nil, err
	}
	return out.DeliveryStreamDescription, nil
}
