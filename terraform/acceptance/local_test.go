package acceptance

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"kindred/internal/platform/artifact"
	"kindred/internal/platform/awsclient"
	"kindred/localstack/provision"
	"kindred/localstack/settings"
	"kindred/terraform/tf/promotion"
)

// TestLocalBuildsWhatTheProvisionerBuilds applies terraform/local, and compares every attribute with
// the resources that the provisioner creates. The provisioner must find nothing to change. The test
// needs the local stack: AWS_ENDPOINT_URL, PGVECTOR_DSN, MYSQL_DSN.
func TestLocalBuildsWhatTheProvisionerBuilds(t *testing.T) {
	endpoint, dsn, shop := os.Getenv("AWS_ENDPOINT_URL"), os.Getenv("PGVECTOR_DSN"), os.Getenv("MYSQL_DSN")
	if endpoint == "" || dsn == "" || shop == "" {
		t.Fatal("set AWS_ENDPOINT_URL, PGVECTOR_DSN and MYSQL_DSN, as `make tf-local-test` does")
	}
	w := mustOpen(t)
	s, err := settings.Load()
	if err != nil {
		t.Fatal(err)
	}
	zips := map[string][]byte{}
	for _, name := range []string{"recommend", "serve"} {
		if zips[name], err = artifact.BuildFunction(t.Context(), w.Repository, name, runtime.GOOS); err != nil {
			t.Fatal(err)
		}
	}
	cfg := aws.Config{Region: s.Region, BaseEndpoint: aws.String(endpoint),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	env := map[string]string{"PGVECTOR_DSN": dsn}
	function := provision.Function{Zip: zips["recommend"], Serve: zips["serve"], Env: env, ServeEnv: env}
	run := strings.ToLower(rand.Text()[:8])
	byTerraform, byProvisioner := s.WithSuffix("tf"+run), s.WithSuffix("go"+run)

	config := promotion.LocalConfig{Endpoint: endpoint, PGVectorDSN: dsn, WriterDSN: dsn, MySQLDSN: shop, Functions: zips,
		Suffix: "tf" + run}
	l, err := promotion.OpenLocal(t.Context(), w, s, config)
	if err != nil {
		t.Fatal(err)
	}
	destroyed := false
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), 5*time.Minute)
		defer stop()
		if !destroyed {
			if err := l.Destroy(ctx); err != nil {
				t.Errorf("destroy: %v", err)
			}
		}
		if err := provision.Destroy(ctx, cfg, byProvisioner); err != nil {
			t.Errorf("destroy the provisioner's: %v", err)
		}
		_ = os.RemoveAll(filepath.Join(w.State, "local-tf"+run))
		_ = os.RemoveAll(filepath.Join(w.State, "data", "local-tf"+run))
	})
	step := time.Now()
	if err := l.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("apply: %v", time.Since(step).Round(time.Second))
	state := filepath.Join(w.State, "local-tf"+run, "terraform.tfstate")
	resources := mustResources(t, w.Root("local", "local-tf"+run), state)
	t.Logf("%d resources", checkTypes(t, resources))
	checkLogin(t, cfg, resources, state, shop)

	made, err := provision.Apply(t.Context(), cfg, byTerraform, function)
	if err != nil {
		t.Fatal(err)
	}
	// Terraform leaves lifecycle rules out here (terraform/modules/bucket), the provisioner sets the one in the settings.
	expire := byTerraform.Buckets.Artifacts.Expire
	added := []string{fmt.Sprintf("bucket %s: %s expires after %d days", byTerraform.Buckets.Artifacts.Name,
		expire.Prefix, expire.Days)}
	if !slices.Equal(made.Changes, added) {
		t.Errorf("the provisioner changes what Terraform built:\n%s\nwant\n%s", strings.Join(made.Changes, "\n"),
			strings.Join(added, "\n"))
	}
	if _, err := provision.Apply(t.Context(), cfg, byProvisioner, function); err != nil {
		t.Fatal(err)
	}
	checkAttributes(t, cfg, byTerraform, byProvisioner, run)
	checkSecondPlans(t, w, s, config)

	step = time.Now()
	if err := l.Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	destroyed = true
	t.Logf("destroy: %v", time.Since(step).Round(time.Second))
	mustBeGone(t, cfg, byTerraform)
}

// mustResources returns what a state file holds, by address.
func mustResources(t *testing.T, root *promotion.Root, state string) map[string]promotion.Resource {
	t.Helper()
	shown, err := root.Run(t.Context(), "show", "-json", state)
	if err != nil {
		t.Fatal(err)
	}
	resources, err := promotion.Resources(shown)
	if err != nil {
		t.Fatal(err)
	}
	return resources
}

// checkSecondPlans plans again, with terraform and with tflocal. Both must find nothing to change.
func checkSecondPlans(t *testing.T, w *promotion.Workspace, s settings.Settings, config promotion.LocalConfig) {
	t.Helper()
	for _, wrapper := range []string{"", "tflocal"} {
		config := config
		if wrapper != "" {
			bin, err := w.Python(t.Context(), "tflocal")
			if err != nil {
				t.Fatal(err)
			}
			config.Wrapper = filepath.Join(bin, "tflocal")
		}
		step := time.Now()
		again, err := promotion.OpenLocal(t.Context(), w, s, config)
		if err != nil {
			t.Fatal(err)
		}
		changes, err := again.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("second plan %s: %v", wrapper, time.Since(step).Round(time.Second))
		for _, c := range changes {
			t.Errorf("the second plan (%s) would %s", wrapper, c)
		}
	}
}

// checkAttributes compares the resources of Terraform and of the provisioner.
func checkAttributes(t *testing.T, cfg aws.Config, byTerraform, byProvisioner settings.Settings, run string) {
	t.Helper()
	a := describe(t, cfg, byTerraform, "-tf"+run)
	b := describe(t, cfg, byProvisioner, "-go"+run)
	if len(b) < 60 {
		t.Errorf("only %d attributes were compared", len(b))
	}
	t.Logf("%d attributes of the provisioner's resources, %d of Terraform's", len(b), len(a))
	withoutListed(t, a)
	if diff := cmp.Diff(b, a); diff != "" {
		t.Errorf("provisioner (-) and Terraform (+) differ:\n%s", diff)
	}
}

// compared are the types of the resources that describe reads. notMadeByProvisioner are the types
// that only Terraform creates, with the reason why the programs do not need them locally.
func compared() []string {
	return []string{"aws_s3_bucket", "aws_s3_bucket_ownership_controls", "aws_s3_bucket_policy",
		"aws_s3_bucket_public_access_block",
		"aws_s3_bucket_server_side_encryption_configuration", "aws_s3_bucket_versioning", "aws_kinesis_stream",
		"aws_kinesis_firehose_delivery_stream",
		"aws_cloudwatch_log_group", "aws_iam_role", "aws_iam_role_policy", "aws_lambda_function", "aws_lambda_function_url",
		"aws_lambda_event_source_mapping"}
}

func notMadeByProvisioner() map[string]string {
	return map[string]string{
		"aws_kms_key":                       "only encrypts the login and the topic",
		"aws_kms_alias":                     "only names the key",
		"aws_secretsmanager_secret":         "etl can read the login from MYSQL_DSN",
		"aws_secretsmanager_secret_version": "etl can read the login from MYSQL_DSN",
		"aws_cloudwatch_metric_alarm":       "a laptop alarms nobody",
		"aws_cloudwatch_dashboard":          "nobody looks at the dashboard of a laptop",
		"aws_sns_topic":                     "only for the alarms",
		"aws_sns_topic_policy":              "only for the alarms",
	}
}

// checkTypes fails for a resource whose type is neither compared nor listed as Terraform's alone, and
// for a listed type that no resource has. It returns the number of resources.
func checkTypes(t *testing.T, resources map[string]promotion.Resource) (n int) {
	t.Helper()
	seen := map[string]bool{}
	for address, r := range resources {
		if r.Mode != "managed" {
			continue
		}
		n++
		seen[r.Type] = true
		if !slices.Contains(compared(), r.Type) && notMadeByProvisioner()[r.Type] == "" {
			t.Errorf("%s is neither compared with the provisioner's nor listed as Terraform's alone", address)
		}
	}
	for _, kind := range slices.AppendSeq(compared(), maps.Keys(notMadeByProvisioner())) {
		if !seen[kind] {
			t.Errorf("%s is listed, but Terraform makes none", kind)
		}
	}
	return n
}

// checkLogin reads the shop's login as etl would, and checks that the state does not contain it.
func checkLogin(t *testing.T, cfg aws.Config, resources map[string]promotion.Resource, state, dsn string) {
	t.Helper()
	want, err := mysql.ParseDSN(dsn)
	if err != nil || want.Passwd == "" {
		t.Fatal("MYSQL_DSN is not a DSN with a password")
	}
	arn, _ := resources["module.shop_login.aws_secretsmanager_secret.this"].Values["arn"].(string)
	value, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(t.Context(),
		&secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		t.Fatal(err)
	}
	var login struct{ Username, Password string }
	err = json.Unmarshal([]byte(aws.ToString(value.SecretString)), &login)
	if err != nil || login.Username != want.User || login.Password != want.Passwd {
		t.Errorf("the secret does not contain the login (%v)", err)
	}
	if bytes.Contains(mustRead(t, state), []byte(want.Passwd)) {
		t.Error("the state contains the shop's password")
	}
}

// terraformOnly are the attributes that only Terraform's resources have, by the end of their path, with
// the reason.
func terraformOnly() map[string]string {
	return map[string]string{
		" description":          "a text for people who look into a console",
		" policy":               "TLS only; the emulator speaks plain HTTP and enforces no policy",
		"url invokeMode":        "the provider writes AWS's default out",
		"customTimeZone[0]":     "the provider writes AWS's default out",
		"noEncryptionConfig[0]": "the provider writes AWS's default out",
		"s3BackupMode[0]":       "the provider writes AWS's default out",
	}
}

// withoutListed removes the listed attributes from all. It fails for a listed attribute that no
// resource has.
func withoutListed(t *testing.T, all map[string]string) {
	t.Helper()
	for end := range terraformOnly() {
		n := len(all)
		maps.DeleteFunc(all, func(path, _ string) bool { return strings.HasSuffix(path, end) })
		if len(all) == n {
			t.Errorf("%q is listed as Terraform's alone, but no resource has it", end)
		}
	}
}

// describe returns every attribute that the services report for the resources of s, by "resource
// path". Names are without suffix. Attributes that always differ, such as times and ids, are left out.
func describe(t *testing.T, cfg aws.Config, s settings.Settings, suffix string) map[string]string {
	t.Helper()
	ctx := t.Context()
	all := map[string]string{}
	add := func(what string, v any, err error) {
		t.Helper()
		var api smithy.APIError
		if errors.As(err, &api) && strings.HasPrefix(api.ErrorCode(), "NoSuch") {
			return // the bucket has none
		}
		if err != nil {
			t.Fatalf("describe %s: %v", what, err)
		}
		flatten(what, reflect.ValueOf(v), func(path, value string) { all[path] = strings.ReplaceAll(value, suffix, "") })
	}
	objects := awsclient.S3(cfg)
	for _, b := range s.Buckets.All() {
		what, name := "bucket "+strings.TrimSuffix(b.Name, suffix), aws.String(b.Name)
		versioning, err := objects.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: name})
		add(what, versioning, err)
		private, err := objects.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: name})
		add(what, private, err)
		location, err := objects.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: name})
		add(what, location, err)
		encryption, err := objects.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: name})
		add(what, encryption, err)
		ownership, err := objects.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: name})
		add(what, ownership, err)
		policy, err := objects.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: name})
		add(what, policy, err)
	}
	stream, err := kinesis.NewFromConfig(cfg).DescribeStreamSummary(ctx,
		&kinesis.DescribeStreamSummaryInput{StreamName: &s.Stream.Name})
	add("stream", stream, err)
	delivery, err := firehose.NewFromConfig(cfg).DescribeDeliveryStream(ctx,
		&firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &s.Delivery.Name})
	add("delivery", delivery, err)
	functions, logs, roles := lambda.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg), iam.NewFromConfig(cfg)
	owners := map[string]string{"delivery": s.Delivery.RoleName}
	for what, f := range map[string]settings.Function{"recommend": s.Functions.Recommend, "serve": s.Functions.Serve} {
		owners[what] = f.RoleName
		function, err := functions.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &f.Name})
		add("function "+what, function, err)
		concurrency, err := functions.GetFunctionConcurrency(ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: &f.Name})
		add("function "+what, concurrency, err)
		group, err := logs.DescribeLogGroups(ctx,
			&cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/aws/lambda/" + f.Name)})
		add("log "+what, group, err)
	}
	url, err := functions.GetFunctionUrlConfig(ctx,
		&lambda.GetFunctionUrlConfigInput{FunctionName: &s.Functions.Serve.Name})
	add("url", url, err)
	mappings, err := functions.ListEventSourceMappings(ctx,
		&lambda.ListEventSourceMappingsInput{FunctionName: &s.Functions.Recommend.Name})
	add("mapping", mappings, err)
	for owner, name := range owners {
		r, err := roles.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
		add("role of "+owner, r, err)
		policies, err := roles.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &name})
		add("policies of "+owner, policies, err)
	}
	return all
}

// volatile reports whether a field differs between any two resources.
func volatile(field string) bool {
	switch field {
	case "ResultMetadata", "noSmithyDocumentSerde", "RevisionId", "LastModified", "LastModifiedTime", "CreateDate",
		"RoleId", "UUID",
		"CreationTime", "StoredBytes",
		"StreamCreationTimestamp", "CreateTimestamp", "LastUpdateTimestamp", "VersionId", "RoleLastUsed",
		"StateTransitionReason",
		"AssumeRolePolicyDocument", // provision.Apply above has judged it by meaning
		"LastProcessingResult", "StateReason", "StreamId", "DestinationId", "EventSourceMappingArn", "FunctionUrl":
		return true
	}
	return false
}

// flatten calls tell for each leaf of v, with its path.
func flatten(path string, v reflect.Value, tell func(path, value string)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			flatten(path, v.Elem(), tell)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !volatile(f.Name) {
				flatten(path+" "+lower(f.Name), v.Field(i), tell)
			}
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			flatten(path+" "+k.String(), v.MapIndex(k), tell)
		}
	case reflect.Slice:
		for i := range v.Len() {
			flatten(path, v.Index(i), func(p, value string) { tell(p+"["+string(rune('0'+i))+"]", value) })
		}
	default:
		if v.IsZero() {
			return
		}
		tell(path, fmt.Sprint(v.Interface()))
	}
}

func lower(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// mustBeGone checks, by name, that no resource of s exists.
func mustBeGone(t *testing.T, cfg aws.Config, s settings.Settings) {
	t.Helper()
	ctx := t.Context()
	var left []string
	for _, b := range s.Buckets.All() {
		if _, err := awsclient.S3(cfg).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(b.Name)}); err == nil {
			left = append(left, "bucket "+b.Name)
		}
	}
	if _, err := kinesis.NewFromConfig(cfg).DescribeStreamSummary(ctx,
		&kinesis.DescribeStreamSummaryInput{StreamName: &s.Stream.Name}); err == nil {
		left = append(left, "stream")
	}
	_, err := firehose.NewFromConfig(cfg).DescribeDeliveryStream(ctx,
		&firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &s.Delivery.Name})
	if err == nil {
		left = append(left, "delivery stream")
	}
	functions := lambda.NewFromConfig(cfg)
	for _, f := range s.Functions.All() {
		if _, err := functions.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: &f.Name}); err == nil {
			left = append(left, "function "+f.Name)
		}
	}
	for _, name := range []string{s.Functions.Recommend.RoleName, s.Functions.Serve.RoleName, s.Delivery.RoleName} {
		if _, err := iam.NewFromConfig(cfg).GetRole(ctx, &iam.GetRoleInput{RoleName: &name}); err == nil {
			left = append(left, "role "+name)
		}
	}
	sort.Strings(left)
	if len(left) > 0 {
		t.Errorf("destroy leaves %q", left)
	}
}
