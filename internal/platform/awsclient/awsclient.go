// Package awsclient loads the AWS SDK's configuration and makes its clients. It is the only package
// that knows how a local endpoint differs from AWS: path-style S3 addresses, and nothing else.
// AWS_ENDPOINT_URL and AWS_REGION are the SDK's own variables.
package awsclient

import (
	"context"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"kindred/internal/platform/patience"
)

// HTTPClient makes the SDK's client with limits on silence. The SDK's own waits for ever for a
// service that accepts a connection and answers nothing.
func HTTPClient(limits patience.Limits) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.DialContext, t.TLSHandshakeTimeout = limits.Dial, limits.Connect
	})
}

// Load reads the SDK's configuration from the environment. It makes no request.
func Load(ctx context.Context) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(HTTPClient(patience.HTTP())))
	if err != nil {
		return aws.Config{}, fmt.Errorf("load AWS configuration: %w", err)
	}
	return cfg, nil
}

// Kinesis makes a client.
func Kinesis(cfg aws.Config) *kinesis.Client { return kinesis.NewFromConfig(cfg) }

// S3 makes a client that addresses buckets by path whenever an endpoint is set.
func S3(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
}
