package conformance

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	alarmtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	secrettypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	statetypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"kindred/internal/platform/awsclient"
)

// Tests of kindred that hold rules of what is only on AWS.
const (
	coverKey    = "terraform/modules/kms/tests/kms.tftest.hcl rotates"
	coverRoot   = "terraform/acceptance TestAWSRootOnMoto"
	coverAlarms = "terraform/modules/observability/tests/observability.tftest.hcl alarms"
	coverStates = "terraform/modules/chain/tests/chain.tftest.hcl chain"
)

func otherRows() []Behaviour {
	return []Behaviour{
		{ID: "kms/round-trip", Rule: "Decrypt gives the text that Encrypt was given, and refuses another " +
			"encryption context",
			Source: "kms/latest/developerguide/encrypt_context.html", Covered: coverKey, check: checkKey},
		{ID: "kms/rotation", Rule: "EnableKeyRotation is reported by GetKeyRotationStatus",
			Source: "kms/latest/developerguide/rotate-keys.html", Covered: coverKey, check: checkRotation},
		{ID: "kms/deleted", Rule: "A key that is scheduled for deletion no longer encrypts",
			Source: "kms/latest/developerguide/deleting-keys.html", Covered: coverKey, check: checkDeletedKey},
		{ID: "secrets/versions", Rule: "GetSecretValue gives the newest value; with AWSPREVIOUS it gives the " +
			"value before that one",
			Source: "secretsmanager/latest/userguide/whats-in-a-secret.html", Covered: coverRoot, check: checkSecret},
		{ID: "secrets/deleted", Rule: "A secret that is scheduled for deletion cannot be read",
			Source: "secretsmanager/latest/userguide/manage_delete-secret.html", Covered: coverRoot, check: checkDeletedSecret},
		{ID: "iam/enforced", Rule: "A role without a permission is refused",
			Source:  "IAM/latest/UserGuide/reference_policies_evaluation-logic.html",
			Covered: "localstack/provision TestPoliciesAreNarrow", check: checkEnforced},
		{ID: "alarms/initial", Rule: "A new alarm is INSUFFICIENT_DATA",
			Source: "AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html", Covered: coverAlarms, check: checkNewAlarm},
		{ID: "alarms/breach", Rule: "An alarm goes to ALARM when its metric breaches the threshold", Slow: true,
			Source: "AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html", Covered: coverAlarms, check: checkBreach},
		{ID: "alarms/missing-data", Rule: "With TreatMissingData notBreaching an alarm without data goes to OK", Slow: true,
			Source: "AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html", Covered: coverAlarms,
			check: checkMissingData},
		{ID: "alarms/composite", Rule: "A composite alarm follows the alarms of its rule", Slow: true,
			Source: "AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html", Covered: coverAlarms,
			check: checkComposite},
		{ID: "logs/retention", Rule: "A log group keeps the number of days that PutRetentionPolicy sets",
			Source: "AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html", Covered: coverProvide,
			check: checkLogRetention},
		{ID: "states/run", Rule: "A state machine runs its states in order, with Choice and Retry, and gives the last " +
			"one's output",
			Source: "step-functions/latest/dg/concepts-amazon-states-language.html", Covered: coverStates, check: checkStates},
		{ID: "states/refused", Rule: "A definition whose Next names no state is refused",
			Source: "step-functions/latest/apireference/API_CreateStateMachine.html", Covered: coverStates,
			check: checkBadStates},
		{ID: "scheduler/zone",
			Rule:    "A schedule keeps its cron expression, time zone and retry policy; a wrong expression is refused",
			Source:  "scheduler/latest/UserGuide/schedule-types.html",
			Covered: "terraform/modules/chain/tests/chain.tftest.hcl refuses_a_bad_schedule", check: checkSchedule},
	}
}

// key makes a key and returns its ARN. AWS deletes it in a week.
func (p *place) key(ctx context.Context) string {
	made := must(p.kms.CreateKey(ctx, &kms.CreateKeyInput{
		Description: &p.name, Tags: tagList(p.target.Tags,
			func(k, v *string) kmstypes.Tag { return kmstypes.Tag{TagKey: k, TagValue: v} }),
	}))
	p.undo(func(ctx context.Context) error {
		_, err := p.kms.ScheduleKeyDeletion(ctx,
			&kms.ScheduleKeyDeletionInput{KeyId: made.KeyMetadata.KeyId, PendingWindowInDays: aws.Int32(7)})
		if codeOf(err) == "KMSInvalidStateException" { // it is so already
			return nil
		}
		return err
	})
	return aws.ToString(made.KeyMetadata.Arn)
}

func checkKey(ctx context.Context, p *place) {
	key := p.key(ctx)
	shop := map[string]string{"part": "shop"}
	secret := must(p.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: &key, Plaintext: []byte("text"),
		EncryptionContext: shop})).CiphertextBlob
	if got := must(p.kms.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: secret,
		EncryptionContext: shop})).Plaintext; string(got) != "text" {
		differs("the text comes back as another")
	}
	_, err := p.kms.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: secret,
		EncryptionContext: map[string]string{"part": "other"}})
	refused(err, "another context decrypts it", "InvalidCiphertextException")
}

func checkRotation(ctx context.Context, p *place) {
	key := p.key(ctx)
	must(p.kms.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &key}))
	if !must(p.kms.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &key})).KeyRotationEnabled {
		differs("it is reported as off")
	}
}

func checkDeletedKey(ctx context.Context, p *place) {
	key := p.key(ctx)
	must(p.kms.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &key, PendingWindowInDays: aws.Int32(7)}))
	_, err := p.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: &key, Plaintext: []byte("text")})
	refused(err, "it encrypts on", "KMSInvalidStateException")
}

func (p *place) secret(ctx context.Context, value string) {
	must(p.secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &p.name, SecretString: &value,
		Tags: tagList(p.target.Tags, func(k, v *string) secrettypes.Tag { return secrettypes.Tag{Key: k, Value: v} })}))
	p.undo(func(ctx context.Context) error {
		_, err := p.secrets.DeleteSecret(ctx,
			&secretsmanager.DeleteSecretInput{SecretId: &p.name, ForceDeleteWithoutRecovery: aws.Bool(true)})
		return err
	})
}

func checkSecret(ctx context.Context, p *place) {
	p.secret(ctx, "one")
	must(p.secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &p.name,
		SecretString: aws.String("two")}))
	for stage, want := range map[string]string{"AWSCURRENT": "two", "AWSPREVIOUS": "one"} {
		got := must(p.secrets.GetSecretValue(ctx,
			&secretsmanager.GetSecretValueInput{SecretId: &p.name, VersionStage: &stage}))
		if aws.ToString(got.SecretString) != want {
			differs("%s is another value", stage)
		}
	}
}

func checkDeletedSecret(ctx context.Context, p *place) {
	p.secret(ctx, "one")
	must(p.secrets.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &p.name,
		RecoveryWindowInDays: aws.Int64(7)}))
	_, err := p.secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &p.name})
	refused(err, "it is read", "InvalidRequestException", "ResourceNotFoundException")
}

// checkEnforced takes a role that may touch nothing outside the conformance resources, and only
// services may take: both the taking and the listing of buckets must be refused.
func checkEnforced(ctx context.Context, p *place) {
	role := p.role(ctx)
	taken, err := p.sts.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("conformance")})
	if err != nil {
		refused(err, "", "AccessDenied")
		return
	}
	cfg := p.target.Config.Copy()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*taken.Credentials.AccessKeyId,
		*taken.Credentials.SecretAccessKey, *taken.Credentials.SessionToken)
	_, err = awsclient.S3(cfg).ListBuckets(ctx, &s3.ListBucketsInput{})
	refused(err, "anybody may assume the role and then list all buckets", "AccessDenied")
}

// alarm makes an alarm on a metric of the place's own: period 10 s, which AWS calls high resolution.
func (p *place) alarm(ctx context.Context, name, missing string) {
	must(p.alarms.PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{
		AlarmName: &name, Namespace: &p.name, MetricName: aws.String("Bad"), Statistic: alarmtypes.StatisticSum,
		Period: aws.Int32(10), EvaluationPeriods: aws.Int32(1),
		Threshold: aws.Float64(5), ComparisonOperator: alarmtypes.ComparisonOperatorGreaterThanOrEqualToThreshold,
		TreatMissingData: &missing,
		Tags:             p.alarmTags(),
	}))
	p.undoAlarm(name)
}

func (p *place) alarmTags() []alarmtypes.Tag {
	return tagList(p.target.Tags, func(k, v *string) alarmtypes.Tag { return alarmtypes.Tag{Key: k, Value: v} })
}

func (p *place) undoAlarm(name string) {
	p.undo(func(ctx context.Context) error {
		_, err := p.alarms.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{name}})
		return err
	})
}

func (p *place) alarmState(ctx context.Context, name string) alarmtypes.StateValue {
	out := must(p.alarms.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: []string{name}, AlarmTypes: []alarmtypes.AlarmType{alarmtypes.AlarmTypeMetricAlarm,
			alarmtypes.AlarmTypeCompositeAlarm},
	}))
	switch {
	case len(out.MetricAlarms) == 1:
		return out.MetricAlarms[0].StateValue
	case len(out.CompositeAlarms) == 1:
		return out.CompositeAlarms[0].StateValue
	}
	differs("the alarm is not described")
	return ""
}

func (p *place) breach(ctx context.Context) {
	must(p.alarms.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{Namespace: &p.name,
		MetricData: []alarmtypes.MetricDatum{{
			MetricName: aws.String("Bad"), Value: aws.Float64(10), StorageResolution: aws.Int32(1),
			Timestamp: aws.Time(time.Now()),
		}}}))
}

func checkNewAlarm(ctx context.Context, p *place) {
	p.alarm(ctx, p.name, "missing")
	if s := p.alarmState(ctx, p.name); s != alarmtypes.StateValueInsufficientData {
		differs("the alarm is %s", s)
	}
}

func (p *place) awaitAlarm(ctx context.Context, name string, want alarmtypes.StateValue, meanwhile func()) {
	if !p.within(ctx, p.patience(), func() bool { meanwhile(); return p.alarmState(ctx, name) == want }) {
		differs("the alarm stays %s", p.alarmState(ctx, name))
	}
}

func checkBreach(ctx context.Context, p *place) {
	p.alarm(ctx, p.name, "missing")
	p.awaitAlarm(ctx, p.name, alarmtypes.StateValueAlarm, everySecond(func() { p.breach(ctx) }))
}

// everySecond calls f at most once a second, however often it is called.
func everySecond(f func()) func() {
	var last time.Time
	return func() {
		if time.Since(last) > time.Second {
			last = time.Now()
			f()
		}
	}
}

func checkMissingData(ctx context.Context, p *place) {
	p.alarm(ctx, p.name, "notBreaching")
	p.awaitAlarm(ctx, p.name, alarmtypes.StateValueOk, func() {})
}

func checkComposite(ctx context.Context, p *place) {
	p.alarm(ctx, p.name, "missing")
	all := p.name + "-all"
	must(p.alarms.PutCompositeAlarm(ctx, &cloudwatch.PutCompositeAlarmInput{
		AlarmName: &all, AlarmRule: aws.String(fmt.Sprintf(`ALARM(%q)`, p.name)), Tags: p.alarmTags(),
	}))
	p.undoAlarm(all)
	must(p.alarms.SetAlarmState(ctx, &cloudwatch.SetAlarmStateInput{
		AlarmName: &p.name, StateValue: alarmtypes.StateValueAlarm, StateReason: aws.String("conformance"),
	}))
	p.awaitAlarm(ctx, all, alarmtypes.StateValueAlarm, func() {})
}

func checkLogRetention(ctx context.Context, p *place) {
	must(p.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &p.name, Tags: p.target.Tags}))
	p.undo(func(ctx context.Context) error {
		_, err := p.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: &p.name})
		return err
	})
	must(p.logs.PutRetentionPolicy(ctx,
		&cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: &p.name, RetentionInDays: aws.Int32(7)}))
	groups := must(p.logs.DescribeLogGroups(ctx,
		&cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &p.name})).LogGroups
	if len(groups) != 1 || aws.ToInt32(groups[0].RetentionInDays) != 7 {
		differs("the group has another retention")
	}
}

func (p *place) stateMachine(ctx context.Context, role, definition string) (*sfn.CreateStateMachineOutput, error) {
	made, err := p.states.CreateStateMachine(ctx,
		&sfn.CreateStateMachineInput{Name: &p.name, RoleArn: &role, Definition: &definition,
			Tags: tagList(p.target.Tags, func(k, v *string) statetypes.Tag { return statetypes.Tag{Key: k, Value: v} })})
	if err == nil {
		p.undo(func(ctx context.Context) error {
			_, err := p.states.DeleteStateMachine(ctx, &sfn.DeleteStateMachineInput{StateMachineArn: made.StateMachineArn})
			return err
		})
	}
	return made, err
}

func checkStates(ctx context.Context, p *place) {
	const definition = `{"StartAt":"Begin","States":{
		"Begin":{"Type":"Pass","Result":{"good":true},"Next":"Judge"},
		"Judge":{"Type":"Choice","Choices":[{"Variable":"$.good","BooleanEquals":true,"Next":"Live"}],"Default":"Refused"},
		"Refused":{"Type":"Fail","Error":"Refused"},
		"Live":{"Type":"Pass","Result":"live","End":true}}}`
	role := p.role(ctx)
	machine := withRole(ctx, p, func() (*sfn.CreateStateMachineOutput,
		error) {
		return p.stateMachine(ctx, role, definition)
	})
	run := must(p.states.StartExecution(ctx,
		&sfn.StartExecutionInput{StateMachineArn: machine.StateMachineArn, Input: aws.String("{}")}))
	var end *sfn.DescribeExecutionOutput
	p.await(ctx, "the run never ended", func() bool {
		end = must(p.states.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: run.ExecutionArn}))
		return end.Status != statetypes.ExecutionStatusRunning
	})
	if end.Status != statetypes.ExecutionStatusSucceeded || aws.ToString(end.Output) != `"live"` {
		differs("the run ends as %s", end.Status)
	}
}

func checkBadStates(ctx context.Context, p *place) {
	_, err := p.stateMachine(ctx, p.role(ctx), `{"StartAt":"Begin","States":{"Begin":{"Type":"Pass","Next":"Nowhere"}}}`)
	refused(err, "it is accepted", "InvalidDefinition", "SchemaValidationFailed")
}

func checkSchedule(ctx context.Context, p *place) {
	role := p.role(ctx)
	create := func(name, expression string) error {
		_, err := p.scheduler.CreateSchedule(ctx, &scheduler.CreateScheduleInput{
			Name: &name, ScheduleExpression: &expression, ScheduleExpressionTimezone: aws.String("Europe/Berlin"),
			State:              schedulertypes.ScheduleStateDisabled,
			FlexibleTimeWindow: &schedulertypes.FlexibleTimeWindow{Mode: schedulertypes.FlexibleTimeWindowModeOff},
			Target: &schedulertypes.Target{Arn: aws.String("arn:aws:states:" + p.target.Config.Region +
				":000000000000:stateMachine:" + p.name), RoleArn: &role,
				RetryPolicy: &schedulertypes.RetryPolicy{MaximumRetryAttempts: aws.Int32(3)}},
		})
		if err == nil {
			p.undo(func(ctx context.Context) error {
				_, err := p.scheduler.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: &name})
				return err
			})
		}
		return err
	}
	withRole(ctx, p, func() (struct{}, error) { return struct{}{}, create(p.name, "cron(0 3 * * ? *)") })
	s := must(p.scheduler.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: &p.name}))
	if aws.ToString(s.ScheduleExpression) != "cron(0 3 * * ? *)" ||
		aws.ToString(s.ScheduleExpressionTimezone) != "Europe/Berlin" ||
		s.Target.RetryPolicy == nil || aws.ToInt32(s.Target.RetryPolicy.MaximumRetryAttempts) != 3 {
		differs("it comes back otherwise")
	}
	refused(create(p.name+"-bad", "cron(never)"), "a wrong expression is accepted", validation)
}
