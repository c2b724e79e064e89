package conformance

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// accountServer answers GetCallerIdentity and counts every call.
func accountServer(t *testing.T, account string) (aws.Config, *atomic.Int64) {
	t.Helper()
	calls := &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Content-Type", "text/xml")
		_, _ = w.Write([]byte(`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Account>` +
			account + `</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`))
	}))
	t.Cleanup(server.Close)
	return aws.Config{
		Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("id", "secret",
			""),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}, calls
}

func TestAWSIsRefusedUnlessAllIsSaid(t *testing.T) {
	t.Parallel()
	good := AWS{AccountID: "123456789012", BudgetTag: "budget=conformance", Region: "eu-west-1", Agreed: agreement}
	for name, spoil := range map[string]func(*AWS, *aws.Config){
		"CONFORMANCE_AWS_ACCOUNT":    func(a *AWS, _ *aws.Config) { a.AccountID = "" },
		"12 digits":                  func(a *AWS, _ *aws.Config) { a.AccountID = "12345678901" },
		"CONFORMANCE_AWS_BUDGET_TAG": func(a *AWS, _ *aws.Config) { a.BudgetTag = "budget" },
		"KEY=VALUE":                  func(a *AWS, _ *aws.Config) { a.BudgetTag = "aws:budget=x" },
		"CONFORMANCE_AWS_REGION":     func(a *AWS, _ *aws.Config) { a.Region = "" },
		"CONFORMANCE_AWS_AGREED":     func(a *AWS, _ *aws.Config) { a.Agreed = "yes" },
		"AWS_ENDPOINT_URL":           func(_ *AWS, c *aws.Config) { c.BaseEndpoint = aws.String("http://127.0.0.1:4566") },
	} {
		a, cfg := good, aws.Config{Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}
		spoil(&a, &cfg)
		if _, err := OpenAWS(t.Context(), cfg, a); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := OpenAWS(t.Context(), aws.Config{}, AWS{})
	for _, name := range []string{"ACCOUNT", "BUDGET_TAG", "REGION", "AGREED"} {
		if err == nil || !strings.Contains(err.Error(), "CONFORMANCE_AWS_"+name) {
			t.Errorf("the refusal of nothing does not name %s: %v", name, err)
		}
	}
}

func TestAWSIsRefusedForAnotherAccount(t *testing.T) {
	t.Parallel()
	cfg, calls := accountServer(t, "210987654321")
	_, err := openAccount(t.Context(), cfg, "123456789012", map[string]string{"budget": "x"})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "210987654321") || calls.Load() != 1 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
	cfg.BaseEndpoint = aws.String("http://127.0.0.1:1") // nobody answers
	if _, err := openAccount(t.Context(), cfg, "123456789012", nil); !errors.Is(err, ErrRefused) {
		t.Errorf("without an answer: %v", err)
	}
}

func TestNothingIsMadeWithoutTheTag(t *testing.T) {
	t.Parallel()
	cfg, calls := accountServer(t, "123456789012")
	target, err := openAccount(t.Context(), cfg, "123456789012", map[string]string{"budget": "conformance"})
	if err != nil {
		t.Fatal(err)
	}
	if !target.OnAWS || target.Tags["budget"] != "conformance" {
		t.Fatalf("target %+v", target)
	}
	streams, keys, buckets, alarms := kinesis.NewFromConfig(target.Config), kms.NewFromConfig(target.Config),
		s3.NewFromConfig(target.Config), cloudwatch.NewFromConfig(target.Config)
	name := aws.String("kindred-conformance-x")
	makes := map[string]func(tagged bool) error{
		"a map": func(tagged bool) error {
			in := &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(1),
				Tags: map[string]string{"budget": "other"}}
			if tagged {
				in.Tags["budget"] = "conformance"
			}
			_, err := streams.CreateStream(t.Context(), in)
			return err
		},
		"a list": func(tagged bool) error {
			in := &kms.CreateKeyInput{Description: aws.String("budget conformance")}
			if tagged {
				in.Tags = []kmstypes.Tag{{TagKey: aws.String("budget"), TagValue: aws.String("conformance")}}
			}
			_, err := keys.CreateKey(t.Context(), in)
			return err
		},
		"a list within": func(tagged bool) error {
			in := &s3.CreateBucketInput{Bucket: name}
			if tagged {
				in.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{Tags: []s3types.Tag{{Key: aws.String("budget"),
					Value: aws.String("conformance")}}}
			}
			_, err := buckets.CreateBucket(t.Context(), in)
			return err
		},
		"an alarm": func(tagged bool) error {
			in := &cloudwatch.PutCompositeAlarmInput{AlarmName: name, AlarmRule: aws.String("ALARM(x)")}
			if tagged {
				in.Tags = (&place{clients: &clients{target: target}}).alarmTags()
			}
			_, err := alarms.PutCompositeAlarm(t.Context(), in)
			return err
		},
	}
	for form, create := range makes {
		before := calls.Load()
		if err := create(false); !errors.Is(err, ErrRefused) || calls.Load() != before {
			t.Errorf("%s: without the tag it is sent: %v", form, err)
		}
		if err := create(true); errors.Is(err, ErrRefused) || calls.Load() == before {
			t.Errorf("%s: with the tag it is not sent: %v", form, err)
		}
	}
}
