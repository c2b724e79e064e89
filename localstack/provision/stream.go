package provision

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// stream makes the activity stream, or mends its shard count and retention, and returns its ARN.
func (p *provisioner) stream(ctx context.Context) (arn string, err error) {
	want := p.settings.Stream
	current, err := p.describeStream(ctx)
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		_, err := p.kinesis.CreateStream(ctx, &kinesis.CreateStreamInput{
			StreamName: aws.String(want.Name), ShardCount: aws.Int32(want.ShardCount),
			StreamModeDetails: &types.StreamModeDetails{StreamMode: types.StreamModeProvisioned},
		})
		if err != nil {
			return "", fmt.Errorf("make stream %s: %w", want.Name, err)
		}
		p.changed("stream %s: made", want.Name)
	case err != nil:
		return "", fmt.Errorf("look at stream %s: %w", want.Name, err)
	case aws.ToInt32(current.OpenShardCount) != want.ShardCount:
		_, err := p.kinesis.UpdateShardCount(ctx, &kinesis.UpdateShardCountInput{
			StreamName: aws.String(want.Name), TargetShardCount: aws.Int32(want.ShardCount),
			ScalingType: types.ScalingTypeUniformScaling,
		})
		if err != nil {
			return "", fmt.Errorf("change stream %s to %d shards: %w", want.Name, want.ShardCount, err)
		}
		p.changed("stream %s: %d shards", want.Name, want.ShardCount)
	}
	if current, err = p.streamActive(ctx); err != nil {
		return "", err
	}
	if err := p.streamRetention(ctx, aws.ToInt32(current.RetentionPeriodHours)); err != nil {
		return "", err
	}
	return aws.ToString(current.StreamARN), nil
}

func (p *provisioner) streamRetention(ctx context.Context, current int32) (err error) {
	name, hours := aws.String(p.settings.Stream.Name), p.settings.Stream.RetentionHours
	switch {
	case current == hours:
		return nil
	case current < hours:
		_, err = p.kinesis.IncreaseStreamRetentionPeriod(ctx,
			&kinesis.IncreaseStreamRetentionPeriodInput{StreamName: name, RetentionPeriodHours: aws.Int32(hours)})
	default:
		_, err = p.kinesis.DecreaseStreamRetentionPeriod(ctx,
			&kinesis.DecreaseStreamRetentionPeriodInput{StreamName: name, RetentionPeriodHours: aws.Int32(hours)})
	}
	if err != nil {
		return fmt.Errorf("set retention of stream %s to %d hours: %w", *name, hours, err)
	}
	p.changed("stream %s: retention %d hours", *name, hours)
	_, err = p.streamActive(ctx)
	return err
}

func (p *provisioner) streamActive(ctx context.Context) (current *types.StreamDescriptionSummary, err error) {
	err = settle(ctx, "stream "+p.settings.Stream.Name+" is active", func(ctx context.Context) (bool, string, error) {
		current, err = p.describeStream(ctx)
		if err != nil {
			return false, "", err
		}
		return current.StreamStatus == types.StreamStatusActive, string(current.StreamStatus), nil
	})
	return current, err
}

func (p *provisioner) describeStream(ctx context.Context) (*types.StreamDescriptionSummary, error) {
	out, err := p.kinesis.DescribeStreamSummary(ctx,
		&kinesis.DescribeStreamSummaryInput{StreamName: aws.String(p.settings.Stream.Name)})
	if err != nil {
		return nil, err
	}
	return out.StreamDescriptionSummary, nil
}
