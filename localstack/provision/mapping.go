package provision

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// mapping makes the event source mapping from the stream to the function, or mends it, and returns its id.
func (p *provisioner) mapping(ctx context.Context, streamARN, functionARN string) (id string, err error) {
	s := p.settings.Mapping
	found, err := p.mappings(ctx)
	if err != nil {
		return "", err
	}
	// What cannot be changed in place, and a second mapping, which would invoke the function twice, goes.
	var current *types.EventSourceMappingConfiguration
	for _, m := range found {
		if current == nil && aws.ToString(m.EventSourceArn) == streamARN &&
			m.StartingPosition == types.EventSourcePosition(s.StartingPosition) &&
			aws.ToString(m.State) != "Deleting" {
			current = &m
			continue
		}
		if err := p.deleteMapping(ctx, aws.ToString(m.UUID)); err != nil {
			return "", err
		}
		p.changed("mapping %s: deleted", aws.ToString(m.UUID))
	}

	onFailure := &types.DestinationConfig{
		OnFailure: &types.OnFailure{Destination: aws.String("arn:aws:s3:::" + p.settings.Buckets.Recommendations.Name)},
	}
	responses := make([]types.FunctionResponseType, len(s.FunctionResponseTypes))
	for i, r := range s.FunctionResponseTypes {
		responses[i] = types.FunctionResponseType(r)
	}
	if current == nil {
		made, err := p.lambda.CreateEventSourceMapping(ctx, &lambda.CreateEventSourceMappingInput{
			EventSourceArn: aws.String(streamARN), FunctionName: aws.String(functionARN), Enabled: aws.Bool(true),
			StartingPosition: types.EventSourcePosition(s.StartingPosition), BatchSize: aws.Int32(s.BatchSize),
			MaximumBatchingWindowInSeconds: aws.Int32(s.BatchingWindowSeconds),
			ParallelizationFactor:          aws.Int32(s.ParallelizationFactor),
			MaximumRetryAttempts:           aws.Int32(s.MaximumRetryAttempts),
			MaximumRecordAgeInSeconds:      aws.Int32(s.MaximumRecordAgeSeconds),
			BisectBatchOnFunctionError:     aws.Bool(s.BisectBatch), FunctionResponseTypes: responses,
			DestinationConfig: onFailure,
		})
		if err != nil {
			return "", fmt.Errorf("map stream %s to function %s: %w", p.settings.Stream.Name,
				p.settings.Functions.Recommend.Name, err)
		}
		id = aws.ToString(made.UUID)
		p.changed("mapping of %s to %s: made", p.settings.Stream.Name, p.settings.Functions.Recommend.Name)
		return id, p.mappingEnabled(ctx, id)
	}

	id = aws.ToString(current.UUID)
	if !p.sameMapping(current, responses, onFailure) {
		_, err := p.lambda.UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{
			UUID: aws.String(id), Enabled: aws.Bool(true), BatchSize: aws.Int32(s.BatchSize),
			MaximumBatchingWindowInSeconds: aws.Int32(s.BatchingWindowSeconds),
			ParallelizationFactor:          aws.Int32(s.ParallelizationFactor),
			MaximumRetryAttempts:           aws.Int32(s.MaximumRetryAttempts),
			MaximumRecordAgeInSeconds:      aws.Int32(s.MaximumRecordAgeSeconds),
			BisectBatchOnFunctionError:     aws.Bool(s.BisectBatch), FunctionResponseTypes: responses,
			DestinationConfig: onFailure,
		})
		if err != nil {
			return "", fmt.Errorf("change mapping %s: %w", id, err)
		}
		p.changed("mapping of %s to %s: changed", p.settings.Stream.Name, p.settings.Functions.Recommend.Name)
	}
	return id, p.mappingEnabled(ctx, id)
}

func (p *provisioner) sameMapping(
	m *types.EventSourceMappingConfiguration, responses []types.FunctionResponseType, onFailure *types.DestinationConfig,
) bool {
	s := p.settings.Mapping
	state := aws.ToString(m.State)
	return state != "Disabled" && state != "Disabling" &&
		aws.ToInt32(m.BatchSize) == s.BatchSize && aws.ToInt32(m.MaximumBatchingWindowInSeconds) == s.BatchingWindowSeconds &&
		aws.ToInt32(m.ParallelizationFactor) == s.ParallelizationFactor &&
		aws.ToInt32(m.MaximumRetryAttempts) == s.MaximumRetryAttempts &&
		aws.ToInt32(m.MaximumRecordAgeInSeconds) == s.MaximumRecordAgeSeconds &&
		aws.ToBool(m.BisectBatchOnFunctionError) == s.BisectBatch &&
		slices.Equal(m.FunctionResponseTypes, responses) && m.DestinationConfig != nil &&
		m.DestinationConfig.OnFailure != nil &&
		aws.ToString(m.DestinationConfig.OnFailure.Destination) == aws.ToString(onFailure.OnFailure.Destination)
}

func (p *provisioner) mappingEnabled(ctx context.Context, id string) error {
	return settle(ctx, "mapping "+id+" is enabled", func(ctx context.Context) (bool, string, error) {
		m, err := p.lambda.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: aws.String(id)})
		if err != nil {
			return false, "", err
		}
		return aws.ToString(m.State) == "Enabled", aws.ToString(m.State) + " " + aws.ToString(m.StateTransitionReason), nil
	})
}

// mappings lists the event source mappings of the function recommend, whatever they read.
func (p *provisioner) mappings(ctx context.Context) (found []types.EventSourceMappingConfiguration, err error) {
	name := p.settings.Functions.Recommend.Name
	pages := lambda.NewListEventSourceMappingsPaginator(p.lambda,
		&lambda.ListEventSourceMappingsInput{FunctionName: aws.String(name)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list mappings of function %s: %w", name, err)
		}
		found = append(found, page.EventSourceMappings...)
	}
	return found, nil
}
