package promotion

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// alarmMails reads the addresses of the alarms from the environment's variables.
func alarmMails(vars []byte) (mails []string, err error) {
	var v struct {
		Mails []string `json:"alarm_emails"`
	}
	if err := json.Unmarshal(vars, &v); err != nil {
		return nil, fmt.Errorf("read variables: %w", err)
	}
	return v.Mails, nil
}

// Pending returns which of the addresses have not confirmed their subscription to a topic. One that is not
// subscribed yet is not pending.
func (p *Promotion) Pending(ctx context.Context, topic string) (mails []string, err error) {
	pages := sns.NewListSubscriptionsByTopicPaginator(sns.NewFromConfig(p.AWS),
		&sns.ListSubscriptionsByTopicInput{TopicArn: &topic})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the subscriptions of the alarms: %w", err)
		}
		for _, s := range page.Subscriptions {
			if mail := aws.ToString(s.Endpoint); aws.ToString(s.SubscriptionArn) == "PendingConfirmation" &&
				slices.Contains(p.Mails, mail) {
				mails = append(mails, mail)
			}
		}
	}
	return mails, nil
}

// confirmed refuses a promotion whose alarms would not reach everybody: AWS sends nothing to an address that has
// not confirmed. The first promotion makes the subscriptions, and so cannot be refused.
func (p *Promotion) confirmed(ctx context.Context, o Outputs) error {
	if o.Reach.Topic == "" {
		return nil
	}
	mails, err := p.Pending(ctx, o.Reach.Topic)
	if err == nil && len(mails) > 0 {
		err = fmt.Errorf("%w: %s. Nothing was changed. Open the link of AWS's mail, or take the address out of "+
			"alarm_emails", ErrUnconfirmed, strings.Join(mails, ", "))
	}
	return err
}

// reachTime is how long CloudWatch may take to act on an alarm.
const reachTime = 2 * time.Minute

// reach raises an alarm that says that it is a test, and waits until CloudWatch has sent it to the topic. The alarm
// returns to what it was by itself.
func (p *Promotion) reach(ctx context.Context, o Outputs) error {
	p.say("test the way of an alarm to %d addresses", len(p.Mails))
	alert := p.Alert
	if alert == nil {
		alert = p.alert
	}
	if err := alert(ctx, o.Reach.Alarm); err != nil {
		return fmt.Errorf("test the way of an alarm: %w; everything else succeeded", err)
	}
	mails, err := p.Pending(ctx, o.Reach.Topic)
	for _, mail := range mails {
		p.say("%s gets no alarms yet: open the link of AWS's mail there. The next promotion is refused without it.", mail)
	}
	return err
}

func (p *Promotion) alert(ctx context.Context, alarm string) error {
	ctx, stop := context.WithTimeout(ctx, reachTime)
	defer stop()
	client, start := cloudwatch.NewFromConfig(p.AWS), time.Now().Add(-time.Minute) // another clock
	if _, err := client.SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{AlarmName: &alarm,
		StateValue:  cwtypes.StateValueAlarm,
		StateReason: aws.String("A test by make promote: nothing is wrong, and alarms reach you.")}); err != nil {
		return fmt.Errorf("raise %s: %w", alarm, err)
	}
	for {
		history, err := client.DescribeAlarmHistory(ctx, &cloudwatch.DescribeAlarmHistoryInput{AlarmName: &alarm,
			HistoryItemType: cwtypes.HistoryItemTypeAction, StartDate: &start})
		if err != nil {
			return fmt.Errorf("read what %s did: %w", alarm, err)
		}
		for _, item := range history.AlarmHistoryItems {
			if summary := aws.ToString(item.HistorySummary); !strings.HasPrefix(summary, "Successfully") {
				return fmt.Errorf("%w: %s", ErrNotSent, summary)
			}
		}
		if len(history.AlarmHistoryItems) > 0 {
			return nil
		}
		if err := p.wait(ctx); err != nil {
			return fmt.Errorf("%w: CloudWatch did nothing about %s in %v", ErrNotSent, alarm, reachTime)
		}
	}
}
