package awsenv

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
)

func from(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

func TestLoad(t *testing.T) {
	t.Parallel()
	variables := map[string]string{"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
		"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_FIREHOSE": "http://firehose"}
	cfg, err := Load(from(variables))
	if err != nil {
		t.Fatal(err)
	}
	who, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || who.AccessKeyID != "key" || who.SecretAccessKey != "secret" || who.SessionToken != "token" {
		t.Errorf("credentials %+v, %v", who, err)
	}
	if cfg.Region != "eu-west-1" || aws.ToString(cfg.BaseEndpoint) != "http://all" {
		t.Errorf("region %q, endpoint %q", cfg.Region, aws.ToString(cfg.BaseEndpoint))
	}
	if got := aws.ToString(firehose.NewFromConfig(cfg).Options().BaseEndpoint); got != "http://firehose" {
		t.Errorf("Firehose is asked at %q", got)
	}
	delete(variables, "AWS_ENDPOINT_URL")
	delete(variables, "AWS_ENDPOINT_URL_FIREHOSE")
	if cfg, err := Load(from(variables)); err != nil || firehose.NewFromConfig(cfg).Options().BaseEndpoint != nil {
		t.Errorf("an endpoint that nobody named, %v", err)
	}
	for _, name := range []string{"AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		if _, err := Load(from(map[string]string{"AWS_REGION": "r", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", name: ""})); err == nil {
			t.Errorf("no error without %s", name)
		}
	}
}
