package provision

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"kindred/localstack/settings"
)

func logGroup(f settings.Function) string { return "/aws/lambda/" + f.Name }

// configuration is what Lambda says of a function.
type configuration = lambda.GetFunctionConfigurationOutput

// function makes a function, or mends its code and configuration, and returns what Lambda then says of it.
func (p *provisioner) function(
	ctx context.Context, s settings.Function, roleARN string, zip []byte, env map[string]string,
) (configuration, error) {
	name := aws.String(s.Name)
	architectures := []types.Architecture{types.Architecture(s.LambdaArchitecture())}
	current, err := p.lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: name})
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		_, err := p.lambda.CreateFunction(ctx, &lambda.CreateFunctionInput{
			FunctionName: name, Role: aws.String(roleARN), Runtime: types.Runtime(s.Runtime), Handler: aws.String(s.Handler),
			Architectures: architectures, MemorySize: aws.Int32(s.MemoryMiB), Timeout: aws.Int32(s.TimeoutSeconds),
			Environment: &types.Environment{Variables: env}, Code: &types.FunctionCode{ZipFile: zip},
		})
		if err != nil {
			return configuration{}, fmt.Errorf("make function %s: %w", s.Name, err)
		}
		p.changed("function %s: made", s.Name)
		return p.functionReady(ctx, s.Name)
	}
	if err != nil {
		return configuration{}, fmt.Errorf("look at function %s: %w", s.Name, err)
	}
	// A run that was interrupted may have left it unready. One that failed is mended below, as far as it can be.
	if current.State != types.StateActive || current.LastUpdateStatus == types.LastUpdateStatusInProgress {
		if ready, err := p.functionReady(ctx, s.Name); err == nil {
			current = &ready
		}
	}

	sum := sha256.Sum256(zip)
	sha := base64.StdEncoding.EncodeToString(sum[:])
	if aws.ToString(current.CodeSha256) != sha || !slices.Equal(current.Architectures, architectures) {
		_, err := p.lambda.UpdateFunctionCode(ctx,
			&lambda.UpdateFunctionCodeInput{FunctionName: name, ZipFile: zip, Architectures: architectures})
		if err != nil {
			return configuration{}, fmt.Errorf("change code of function %s: %w", s.Name, err)
		}
		p.changed("function %s: code changed", s.Name)
		if _, err := p.functionReady(ctx, s.Name); err != nil {
			return configuration{}, err
		}
	}
	if !sameFunction(current, s, roleARN, env) {
		_, err := p.lambda.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
			FunctionName: name, Role: aws.String(roleARN), Runtime: types.Runtime(s.Runtime), Handler: aws.String(s.Handler),
			MemorySize: aws.Int32(s.MemoryMiB), Timeout: aws.Int32(s.TimeoutSeconds),
			Environment: &types.Environment{Variables: env},
		})
		if err != nil {
			return configuration{}, fmt.Errorf("change configuration of function %s: %w", s.Name, err)
		}
		p.changed("function %s: configuration changed", s.Name)
	}
	return p.functionReady(ctx, s.Name)
}

func sameFunction(c *configuration, s settings.Function, roleARN string, env map[string]string) bool {
	return aws.ToString(c.Role) == roleARN && c.Runtime == types.Runtime(s.Runtime) &&
		aws.ToString(c.Handler) == s.Handler &&
		aws.ToInt32(c.MemorySize) == s.MemoryMiB && aws.ToInt32(c.Timeout) == s.TimeoutSeconds &&
		c.Environment != nil && maps.Equal(c.Environment.Variables, env)
}

// functionReady waits until the function is active and its last update done; a failure carries
// Lambda's own reason.
func (p *provisioner) functionReady(ctx context.Context, name string) (configuration, error) {
	var last configuration
	err := settle(ctx, "function "+name+" is active", func(ctx context.Context) (bool, string, error) {
		c, err := p.lambda.GetFunctionConfiguration(ctx,
			&lambda.GetFunctionConfigurationInput{FunctionName: aws.String(name)})
		if err != nil {
			return false, "", err
		}
		last = *c
		switch {
		case c.State == types.StateFailed:
			return false, "", fmt.Errorf("it failed (%s): %s", c.StateReasonCode, aws.ToString(c.StateReason))
		case c.LastUpdateStatus == types.LastUpdateStatusFailed:
			return false, "", fmt.Errorf("its update failed (%s): %s", c.LastUpdateStatusReasonCode,
				aws.ToString(c.LastUpdateStatusReason))
		}
		seen := fmt.Sprintf("state %s %s, update %s %s",
			c.State, aws.ToString(c.StateReason), c.LastUpdateStatus, aws.ToString(c.LastUpdateStatusReason))
		return c.State == types.StateActive && c.LastUpdateStatus == types.LastUpdateStatusSuccessful, seen, nil
	})
	return last, err
}

// functionURL gives a function an address that asks for signatures, or mends that, and returns it.
func (p *provisioner) functionURL(ctx context.Context, s settings.Function) (string, error) {
	name := aws.String(s.Name)
	current, err := p.lambda.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: name})
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		made, err := p.lambda.CreateFunctionUrlConfig(ctx,
			&lambda.CreateFunctionUrlConfigInput{FunctionName: name, AuthType: types.FunctionUrlAuthTypeAwsIam})
		if err != nil {
			return "", fmt.Errorf("make URL of function %s: %w", s.Name, err)
		}
		p.changed("URL of function %s: made", s.Name)
		return aws.ToString(made.FunctionUrl), nil
	case err != nil:
		return "", fmt.Errorf("look at URL of function %s: %w", s.Name, err)
	case current.AuthType != types.FunctionUrlAuthTypeAwsIam:
		_, err := p.lambda.UpdateFunctionUrlConfig(ctx,
			&lambda.UpdateFunctionUrlConfigInput{FunctionName: name, AuthType: types.FunctionUrlAuthTypeAwsIam})
		if err != nil {
			return "", fmt.Errorf("change URL of function %s: %w", s.Name, err)
		}
		p.changed("URL of function %s: changed", s.Name)
	}
	return aws.ToString(current.FunctionUrl), nil
}
