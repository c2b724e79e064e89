package provision

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"kindred/localstack/settings"
)

// logGroup creates the function's log group, or corrects its retention. Lambda itself would create
// a log group without a limit.
func (p *provisioner) logGroup(ctx context.Context, f settings.Function) error {
	name := logGroup(f)
	pages := cloudwatchlogs.NewDescribeLogGroupsPaginator(p.logs,
		&cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String(name)})
	found := false
	for pages.HasMorePages() && !found {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("look at log group %s: %w", name, err)
		}
		for _, g := range page.LogGroups {
			if aws.ToString(g.LogGroupName) != name {
				continue
			}
			if aws.ToInt32(g.RetentionInDays) == f.LogRetentionDays {
				return nil
			}
			found = true
		}
	}
	if !found {
		if _, err := p.logs.CreateLogGroup(ctx,
			&cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String(name)}); err != nil {
			return fmt.Errorf("make log group %s: %w", name, err)
		}
	}
	_, err := p.logs.PutRetentionPolicy(ctx,
		&cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String(name),
			RetentionInDays: aws.Int32(f.LogRetentionDays)})
	if err != nil {
		return fmt.Errorf("set retention of log group %s: %w", name, err)
	}
	p.changed("log group %s: keeps %d days", name, f.LogRetentionDays)
	return nil
}
