// Package awsclient loads the AWS SDK's configuration and makes its clients. It is the only package
// that knows how a local endpoint differs from AWS: path-style S3 addresses, and nothing else.
// AWS_ENDPOINT_URL and AWS_REGION are the SDK's own variables.
package awsclient

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"kindred/internal/platform/awsenv"
	"kindred/internal/platform/patience"
)

// Load reads the SDK's configuration from the environment. Its clients keep the limits of package
// patience. It makes no request.
func Load(ctx context.Context) (aws.Config, error) {
	limits, err := patience.HTTP()
	if err != nil {
		return aws.Config{}, err
	}
	client := awshttp.NewBuildableClient().WithTransportOptions(limits.Transport)
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(client))
	if err != nil {
		return aws.Config{}, fmt.Errorf("load AWS configuration: %w", err)
	}
	return cfg, nil
}

// Environment is Load for signed requests of package awsenv, and for a login to RDS by IAM.
func Environment(ctx context.Context) (awsenv.Environment, error) {
	cfg, err := Load(ctx)
	if err != nil {
		return awsenv.Environment{}, err
	}
	return awsenv.Of(cfg, os.Getenv), nil
}

// S3 makes a client that addresses buckets by path whenever an endpoint is set.
func S3(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
}
