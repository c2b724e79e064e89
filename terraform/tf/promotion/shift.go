package promotion

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// firstShare is the share of the calls that a new version gets while the alarms are watched.
const firstShare = 0.1

// defaultWatch is twice as long as the alarms of the functions need to notice a fault.
const defaultWatch = 10 * time.Minute

// shift moves the aliases from the versions that they call to others, by function: first a share of the
// calls for a while, and all of them if no alarm was raised meanwhile. A promotion that breaks off
// in between leaves the share; the next one begins this step again.
func (p *Promotion) shift(ctx context.Context, o Outputs, from, to map[string]string) error {
	if len(to) == 0 {
		return nil
	}
	before, err := p.raised(ctx, o.Alarms)
	if err != nil {
		return err
	}
	functions := slices.Sorted(maps.Keys(to))
	for _, function := range functions {
		share := map[string]float64{to[function]: firstShare}
		if err := p.call(ctx, function, o.Functions.Alias, from[function], share); err != nil {
			return err
		}
		p.say("%s: alias %s calls version %s for %.0f %% of the calls", function, o.Functions.Alias, to[function],
			100*firstShare)
	}
	if err := p.watch(ctx, o.Alarms, before); err != nil {
		return err
	}
	for _, function := range functions {
		if err := p.move(ctx, function, o.Functions.Alias, to[function]); err != nil {
			return err
		}
	}
	return nil
}

// watch looks at the alarms for as long as Watch says. An alarm that was not raised before ends it.
func (p *Promotion) watch(ctx context.Context, alarms, before []string) error {
	long := cmp.Or(p.Watch, defaultWatch)
	p.say("watch %d alarms for %v", len(alarms), long)
	for end, missed := time.Now().Add(long), 0; ; {
		raised, err := p.raised(ctx, alarms)
		if err != nil {
			if missed++; missed > mostMissed {
				return err
			}
		} else {
			missed = 0
		}
		raised = slices.DeleteFunc(raised, func(name string) bool { return slices.Contains(before, name) })
		if len(raised) > 0 {
			return fmt.Errorf("%w: %s", ErrAlarm, strings.Join(raised, ", "))
		}
		if err == nil && !time.Now().Before(end) {
			return nil
		}
		if err := p.wait(ctx); err != nil {
			return fmt.Errorf("watch the alarms: %w", err)
		}
	}
}

// raised returns which of the alarms are raised.
func (p *Promotion) raised(ctx context.Context, alarms []string) (names []string, err error) {
	if p.Raised != nil {
		return p.Raised(ctx, alarms)
	}
	if len(alarms) == 0 { // without names, CloudWatch would describe every alarm of the account
		return nil, nil
	}
	seen, err := cloudwatch.NewFromConfig(p.AWS).DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: alarms,
		StateValue: cwtypes.StateValueAlarm, MaxRecords: aws.Int32(100)})
	if err != nil {
		return nil, fmt.Errorf("read the alarms: %w", err)
	}
	for _, alarm := range seen.MetricAlarms {
		names = append(names, aws.ToString(alarm.AlarmName))
	}
	return names, nil
}

// move makes an alias of a function call a version, and no other.
func (p *Promotion) move(ctx context.Context, function, alias, version string) error {
	if err := p.call(ctx, function, alias, version, map[string]float64{}); err != nil {
		return err
	}
	p.say("%s: alias %s calls version %s", function, alias, version)
	return nil
}

// call makes an alias call a version, but others for their shares of the calls.
func (p *Promotion) call(ctx context.Context, function, alias, version string, shares map[string]float64) error {
	if _, err := lambda.NewFromConfig(p.AWS).UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: &function,
		Name: &alias, FunctionVersion: &version,
		RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: shares}}); err != nil {
		return fmt.Errorf("move alias %s of %s to version %s %v: %w", alias, function, version, shares, err)
	}
	return nil
}
