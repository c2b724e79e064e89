// Package awsenv configures the AWS SDK for a function, from nothing but the variables that Lambda sets in its environment. The SDK's own
// way (package awsclient) also knows shared files, single sign-on and metadata services: a function needs none of them, and they would be
// a tenth of its size.
package awsenv

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Load reads region, credentials and endpoints: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL
// and AWS_ENDPOINT_URL_<SERVICE>. Lambda replaces the process before its credentials end.
func Load(getenv func(string) string) (aws.Config, error) {
	who := aws.Credentials{AccessKeyID: getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken: getenv("AWS_SESSION_TOKEN"), Source: "environment"}
	cfg := aws.Config{Region: getenv("AWS_REGION"), ConfigSources: []any{endpoints(getenv)}}
	if cfg.Region == "" || !who.HasKeys() {
		return aws.Config{}, errors.New("AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not all set")
	}
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return who, nil })
	if url := getenv("AWS_ENDPOINT_URL"); url != "" {
		cfg.BaseEndpoint = &url
	}
	return cfg, nil
}

// endpoints finds the endpoint of a single service, as the SDK's clients ask for it.
type endpoints func(name string) string

// GetServiceBaseEndpoint reads the variable of the service named id, such as "Firehose".
func (getenv endpoints) GetServiceBaseEndpoint(_ context.Context, id string) (url string, found bool, err error) {
	url = getenv("AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(id, " ", "_")))
	return url, url != "", nil
}
