package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"kindred/internal/platform/envconfig"
	"kindred/localstack/settings"
)

// policyName is the one inline policy that each role has.
const policyName = "kindred"

// role is one IAM role: who may take it, and what it may do. LocalStack enforces neither. Both are
// here so that the role is the same as on AWS.
type role struct {
	name       string
	service    string
	statements []statement
}

type statement struct {
	Sid       string            `json:",omitempty"`
	Effect    string            `json:""`
	Principal map[string]string `json:",omitempty"`
	Action    []string          `json:""`
	Resource  []string          `json:",omitempty"`
}

func allow(sid string, actions, resources []string) statement {
	return statement{Sid: sid, Effect: "Allow", Action: actions, Resource: resources}
}

// functionRoleOf is what the function recommend and its mapping do: read the stream and
// model versions, write the delivery stream, the quarantine, failed batches and logs.
func functionRoleOf(s settings.Settings) role {
	bucket := "arn:aws:s3:::" + s.Buckets.Recommendations.Name
	return role{name: s.Functions.Recommend.RoleName, service: "lambda.amazonaws.com", statements: []statement{
		allow("ReadStream", []string{"kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords",
			"kinesis:GetShardIterator",
			"kinesis:ListShards"}, []string{"arn:aws:kinesis:" + s.Region + ":" + s.AccountID + ":stream/" + s.Stream.Name}),
		writeDelivery(s),
		allow("KeepQuarantineAndFailedBatches", []string{"s3:PutObject"},
			[]string{bucket + "/" + envconfig.QuarantinePrefix + "*", bucket + "/" + envconfig.FailurePrefix + "*"}),
		allow("FailedBatchesBucket", []string{"s3:ListBucket"}, []string{bucket}),
		readModelVersions(s),
		writeLogs(s, s.Functions.Recommend),
	}}
}

// writeDelivery lets a function deliver its answers.
func writeDelivery(s settings.Settings) statement {
	return allow("WriteDelivery", []string{"firehose:PutRecordBatch"},
		[]string{"arn:aws:firehose:" + s.Region + ":" + s.AccountID + ":deliverystream/" + s.Delivery.Name})
}

// readModelVersions lets a function keep products in memory.
func readModelVersions(s settings.Settings) statement {
	return allow("ReadModelVersions", []string{"s3:GetObject"},
		[]string{"arn:aws:s3:::" + s.Buckets.Artifacts.Name + "/" + envconfig.ModelPrefix + "/*"})
}

// serveRoleOf is what the function serve does: it reads model versions, delivers its answers, puts events onto the
// stream and writes its log. The database asks for a password of its own.
func serveRoleOf(s settings.Settings) role {
	return role{name: s.Functions.Serve.RoleName, service: "lambda.amazonaws.com", statements: []statement{
		writeDelivery(s), allow("WriteStream", []string{"kinesis:PutRecords"},
			[]string{"arn:aws:kinesis:" + s.Region + ":" + s.AccountID + ":stream/" + s.Stream.Name}),
		readModelVersions(s), writeLogs(s, s.Functions.Serve)}}
}

func writeLogs(s settings.Settings, f settings.Function) statement {
	return allow("Logs", []string{"logs:CreateLogStream", "logs:PutLogEvents"},
		[]string{"arn:aws:logs:" + s.Region + ":" + s.AccountID + ":log-group:" + logGroup(f) + ":*"})
}

// deliveryRoleOf is what Firehose does: write recommendations and its own errors.
func deliveryRoleOf(s settings.Settings) role {
	bucket := "arn:aws:s3:::" + s.Buckets.Recommendations.Name
	return role{name: s.Delivery.RoleName, service: "firehose.amazonaws.com", statements: []statement{
		allow("WriteObjects", []string{"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"},
			[]string{bucket + "/" + s.Delivery.Prefix + "*", bucket + "/" + s.Delivery.ErrorPrefix + "*"}),
		allow("Bucket", []string{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"}, []string{bucket}),
	}}
}

// role makes or mends r and returns its ARN.
func (p *provisioner) role(ctx context.Context, r role) (arn string, err error) {
	trust, err := document(statement{Effect: "Allow", Principal: map[string]string{"Service": r.service},
		Action: []string{"sts:AssumeRole"}})
	if err != nil {
		return "", err
	}
	policy, err := document(r.statements...)
	if err != nil {
		return "", err
	}
	name := aws.String(r.name)
	var missing *types.NoSuchEntityException
	got, err := p.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: name})
	switch {
	case errors.As(err, &missing):
		made, err := p.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(trust)})
		if err != nil {
			return "", fmt.Errorf("make role %s: %w", r.name, err)
		}
		arn = aws.ToString(made.Role.Arn)
		p.changed("role %s: made", r.name)
	case err != nil:
		return "", fmt.Errorf("look at role %s: %w", r.name, err)
	default:
		arn = aws.ToString(got.Role.Arn)
		if !sameDocument(aws.ToString(got.Role.AssumeRolePolicyDocument), trust) {
			_, err := p.iam.UpdateAssumeRolePolicy(ctx,
				&iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: aws.String(trust)})
			if err != nil {
				return "", fmt.Errorf("change who may take role %s: %w", r.name, err)
			}
			p.changed("role %s: trust changed", r.name)
		}
	}

	current, err := p.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String(policyName)})
	if err != nil && !errors.As(err, &missing) {
		return "", fmt.Errorf("read policy of role %s: %w", r.name, err)
	}
	if err == nil && sameDocument(aws.ToString(current.PolicyDocument), policy) {
		return arn, nil
	}
	_, err = p.iam.PutRolePolicy(ctx,
		&iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String(policyName), PolicyDocument: aws.String(policy)})
	if err != nil {
		return "", fmt.Errorf("set policy of role %s: %w", r.name, err)
	}
	p.changed("role %s: policy set", r.name)
	return arn, nil
}

func document(statements ...statement) (string, error) {
	data, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		return "", fmt.Errorf("write policy document: %w", err)
	}
	return string(data), nil
}

// sameDocument compares what IAM answered (URL-encoded by AWS) with what we would write, by
// meaning. The document may have another order, and may have a single action or resource without a
// list, as Terraform writes it.
func sameDocument(answered, ours string) bool {
	if decoded, err := url.PathUnescape(answered); err == nil {
		answered = decoded
	}
	var a, b any
	if json.Unmarshal([]byte(answered), &a) != nil || json.Unmarshal([]byte(ours), &b) != nil {
		return false
	}
	return reflect.DeepEqual(canonical(a), canonical(b))
}

// canonical makes lists of one to their element, and sorts lists of text.
func canonical(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			v[name] = canonical(value)
		}
	case []any:
		if len(v) == 1 {
			return canonical(v[0])
		}
		for i := range v {
			v[i] = canonical(v[i])
		}
		slices.SortStableFunc(v, func(a, b any) int {
			x, _ := a.(string)
			y, _ := b.(string)
			return strings.Compare(x, y)
		})
	}
	return v
}
