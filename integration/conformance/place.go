package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"kindred/internal/platform/awsclient"
)

// clients are those of one target.
type clients struct {
	target    Target
	s3        *s3.Client
	kinesis   *kinesis.Client
	firehose  *firehose.Client
	lambda    *lambda.Client
	iam       *iam.Client
	sts       *sts.Client
	kms       *kms.Client
	secrets   *secretsmanager.Client
	alarms    *cloudwatch.Client
	logs      *cloudwatchlogs.Client
	states    *sfn.Client
	scheduler *scheduler.Client
}

func newClients(t Target) *clients {
	cfg := t.Config.Copy()
	if !t.OnAWS { // a second try would hide what the first one met
		cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	}
	return &clients{
		target: t, s3: awsclient.S3(cfg), kinesis: kinesis.NewFromConfig(cfg), firehose: firehose.NewFromConfig(cfg),
		lambda: lambda.NewFromConfig(cfg), iam: iam.NewFromConfig(cfg), sts: sts.NewFromConfig(cfg),
		kms:     kms.NewFromConfig(cfg),
		secrets: secretsmanager.NewFromConfig(cfg), alarms: cloudwatch.NewFromConfig(cfg),
		logs:   cloudwatchlogs.NewFromConfig(cfg),
		states: sfn.NewFromConfig(cfg), scheduler: scheduler.NewFromConfig(cfg),
	}
}

// namePrefix is of every resource's name; the roles' policies allow nothing else.
const namePrefix = "kindred-conformance-"

// place is where one row works: a name for its resources, and what is to be deleted.
type place struct {
	*clients
	name    string
	cleanup []func(context.Context) error
}

func newPlace(c *clients) *place {
	return &place{clients: c, name: namePrefix + strings.ToLower(rand.Text()[:10])}
}

// undo registers what deletes a resource; the last one made goes first.
func (p *place) undo(f func(context.Context) error) { p.cleanup = append(p.cleanup, f) }

// clearTime bounds the deletion of a row's resources.
const clearTime = time.Minute

// clear deletes what the row made, also when the row's own time is over.
func (p *place) clear(ctx context.Context) (err error) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), clearTime)
	defer stop()
	for len(p.cleanup) > 0 {
		last := len(p.cleanup) - 1
		err = errors.Join(err, p.cleanup[last](ctx))
		p.cleanup = p.cleanup[:last]
	}
	return err
}

// patience is how long to wait for what will come: on an emulator, on a busy machine, a minute; on AWS some.
func (p *place) patience() time.Duration {
	if p.target.OnAWS {
		return 4 * time.Minute
	}
	return time.Minute
}

// await waits until done. If that does not come, the row differs, and its cell is the sentence never.
func (p *place) await(ctx context.Context, never string, done func() bool) {
	if !p.within(ctx, p.patience(), done) {
		differs("%s", never)
	}
}

// within waits until done, for a time at most, and says whether it came.
func (p *place) within(ctx context.Context, limit time.Duration, done func() bool) bool {
	return must(poll(ctx, limit, done))
}

// poll asks done until it says yes or the time is over.
func poll(ctx context.Context, limit time.Duration, done func() bool) (bool, error) {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if done() {
			return true, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-deadline.C:
			return done(), nil
		case <-tick.C:
		}
	}
}

// shortly is how long what an endpoint does of itself at once may take to show.
const shortly = 5 * time.Second

// pause lets time pass that is part of a rule.
func (p *place) pause(ctx context.Context, d time.Duration) {
	p.within(ctx, d, func() bool { return false })
}

// bucket makes a bucket of the place's name.
func (p *place) bucket(ctx context.Context) {
	name := &p.name
	location := &s3types.CreateBucketConfiguration{Tags: tagList(p.target.Tags,
		func(k, v *string) s3types.Tag { return s3types.Tag{Key: k, Value: v} })}
	if region := p.target.Config.Region; region != "us-east-1" { // the one region that must not be named
		location.LocationConstraint = s3types.BucketLocationConstraint(region)
	}
	must(p.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: name, CreateBucketConfiguration: location}))
	p.undo(func(ctx context.Context) error { return p.deleteBucket(ctx) })
}

// deleteBucket deletes every version of every object, then the bucket. An emulator that lists no
// versions has the objects listed.
func (p *place) deleteBucket(ctx context.Context) error {
	versions, err := p.s3.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &p.name})
	if err != nil {
		return err
	}
	objects := versions.Versions
	for _, m := range versions.DeleteMarkers {
		objects = append(objects, s3types.ObjectVersion{Key: m.Key, VersionId: m.VersionId})
	}
	for _, o := range objects {
		if _, err := p.s3.DeleteObject(ctx,
			&s3.DeleteObjectInput{Bucket: &p.name, Key: o.Key, VersionId: o.VersionId}); err != nil {
			return err
		}
	}
	if aws.ToBool(versions.IsTruncated) {
		return p.deleteBucket(ctx)
	}
	_, err = p.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &p.name})
	return err
}

// tagList is the tags as a service's own type.
func tagList[T any](tags map[string]string, of func(k, v *string) T) []T {
	var list []T
	for k, v := range tags {
		list = append(list, of(aws.String(k), aws.String(v)))
	}
	return list
}

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":` +
	`["lambda.amazonaws.com","firehose.amazonaws.com","states.amazonaws.com","scheduler.amazonaws.com"]}}]}`

// policy allows what the services do for the rows, on resources of the rows.
func (p *place) policy() string {
	const form = `{"Version":"2012-10-17","Statement":[` +
		`{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::%[1]s*"]},` +
		`{"Effect":"Allow","Action":["kinesis:*"],"Resource":["arn:aws:kinesis:*:*:stream/%[1]s*"]},` +
		`{"Effect":"Allow","Action":["lambda:InvokeFunction"],"Resource":["arn:aws:lambda:*:*:function:%[1]s*"]},` +
		`{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":["arn:aws:logs:*:*:log-group:/aws/lambda/%[1]s*"]},` +
		`{"Effect":"Allow","Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":["*"],"Condition":{"StringLike":{"kms:RequestAlias":"alias/%[1]s*"}}}]}`
	return fmt.Sprintf(form, namePrefix)
}

// role makes a role for the services and returns its ARN.
func (p *place) role(ctx context.Context) string {
	made := must(p.iam.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: &p.name, AssumeRolePolicyDocument: aws.String(trust),
		Tags: tagList(p.target.Tags, func(k, v *string) iamtypes.Tag { return iamtypes.Tag{Key: k, Value: v} }),
	}))
	p.undo(func(ctx context.Context) error {
		_, err := p.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &p.name})
		return err
	})
	policy := aws.String("conformance")
	must(p.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &p.name, PolicyName: policy,
		PolicyDocument: aws.String(p.policy())}))
	p.undo(func(ctx context.Context) error {
		_, err := p.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &p.name, PolicyName: policy})
		return err
	})
	return aws.ToString(made.Role.Arn)
}

// withRole repeats a call on AWS until the role that it names is known everywhere, which takes some seconds.
func withRole[T any](ctx context.Context, p *place, call func() (T, error)) (out T) {
	var err error
	unknown := func() bool {
		out, err = call()
		return p.target.OnAWS && err != nil &&
			(strings.Contains(err.Error(), "assume") || strings.Contains(err.Error(), "role"))
	}
	p.within(ctx, p.patience(), func() bool { return !unknown() })
	return must(out, err)
}
