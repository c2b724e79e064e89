package promotion

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// firstValue is the request that gives a secret its value. AWS refuses it if it came before with another value,
// so that of two promotions at the same time one wins.
const firstValue = "kindred-first-value-of-the-erase-secret"

// fill gives the secret of the list of erased persons a random value, unless it has one: with another value,
// nobody could read the list any more.
func (p *Promotion) fill(ctx context.Context, arn string) error {
	client := secretsmanager.NewFromConfig(p.AWS)
	secret, err := client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &arn})
	if err != nil {
		return fmt.Errorf("look up the secret of the erased persons: %w", err)
	}
	if len(secret.VersionIdsToStages) > 0 {
		return nil
	}
	p.say("give the secret of the erased persons a value")
	_, err = client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &arn,
		SecretString: aws.String(rand.Text() + rand.Text()), ClientRequestToken: aws.String(firstValue)})
	var taken *types.ResourceExistsException
	if err != nil && !errors.As(err, &taken) {
		return fmt.Errorf("give the secret of the erased persons a value: %w", err)
	}
	return nil
}
