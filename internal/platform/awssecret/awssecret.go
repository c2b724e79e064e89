// Package awssecret reads secrets of AWS Secrets Manager, so that on AWS no variable, argument or state holds
// one. It owns no secret's form.
package awssecret

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"kindred/internal/platform/awsclient"
)

// Read returns the text that a secret holds now. An error contains no part of it.
func Read(ctx context.Context, arn string) (string, error) { return ReadStage(ctx, arn, "AWSCURRENT") }

// ReadStage is Read of the version that has the label.
func ReadStage(ctx context.Context, arn, stage string) (string, error) {
	sdk, err := awsclient.Load(ctx)
	if err != nil {
		return "", err
	}
	secret, err := secretsmanager.NewFromConfig(sdk).GetSecretValue(ctx,
		&secretsmanager.GetSecretValueInput{SecretId: &arn, VersionStage: &stage})
	if err != nil {
		return "", fmt.Errorf("read secret %s: %w", arn, err)
	}
	return aws.ToString(secret.SecretString), nil
}
