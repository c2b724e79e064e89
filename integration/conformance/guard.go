package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
)

// ErrRefused is why the rows are not run on AWS.
var ErrRefused = errors.New("not run on AWS")

// AWS says on which account the rows may run, and how what they cost is found. The zero value allows nothing.
type AWS struct {
	AccountID string `env:"CONFORMANCE_AWS_ACCOUNT"` // of 12 digits; the credentials must be of this account
	// KEY=VALUE, on every resource; a budget of the account should watch it
	BudgetTag string `env:"CONFORMANCE_AWS_BUDGET_TAG"`
	Region    string `env:"CONFORMANCE_AWS_REGION"` // where the resources are made; AWS_REGION is not enough
	Agreed    string `env:"CONFORMANCE_AWS_AGREED"` // agreement, word for word
}

// agreement is what the person who pays writes out.
const agreement = "creates and deletes resources that cost money"

var accountForm = regexp.MustCompile(`^\d{12}$`)

// OpenAWS returns the target if everything is said and true: the four variables, no endpoint of an
// emulator, and credentials of that account. From then on the SDK itself refuses to make a resource
// without the tag.
func OpenAWS(ctx context.Context, cfg aws.Config, a AWS) (Target, error) {
	key, value, _ := strings.Cut(a.BudgetTag, "=")
	var missing []string
	for _, c := range []struct {
		ok   bool
		what string
	}{
		{accountForm.MatchString(a.AccountID), "CONFORMANCE_AWS_ACCOUNT is not an account's 12 digits"},
		{key != "" && value != "" && !strings.HasPrefix(key, "aws:"), "CONFORMANCE_AWS_BUDGET_TAG is not KEY=VALUE"},
		{a.Region != "", "CONFORMANCE_AWS_REGION is empty"},
		{a.Agreed == agreement, fmt.Sprintf("CONFORMANCE_AWS_AGREED is not %q", agreement)},
		{aws.ToString(cfg.BaseEndpoint) == "", "AWS_ENDPOINT_URL leads to an emulator"},
	} {
		if !c.ok {
			missing = append(missing, c.what)
		}
	}
	if missing != nil {
		return Target{}, fmt.Errorf("%w: %s", ErrRefused, strings.Join(missing, "; "))
	}
	cfg = cfg.Copy()
	cfg.Region = a.Region
	return openAccount(ctx, cfg, a.AccountID, map[string]string{key: value})
}

// openAccount checks whose the credentials are and arms the configuration.
func openAccount(ctx context.Context, cfg aws.Config, account string, tags map[string]string) (Target, error) {
	identity, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		return Target{}, fmt.Errorf("%w: ask whose the credentials are: %w", ErrRefused, err)
	}
	if actual := aws.ToString(identity.Account); actual != account {
		return Target{}, fmt.Errorf("%w: the credentials are of account %s, not %s", ErrRefused, actual, account)
	}
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), func(s *middleware.Stack) error {
		return s.Initialize.Add(refuseUntagged(tags), middleware.After) // before it, the call has no name
	})
	return Target{Config: cfg, Tags: tags, OnAWS: true}, nil
}

// untaggable are the calls that make what bears no tag of its own, with the reason why that costs nothing.
func untaggable() map[string]string {
	return map[string]string{
		"CreateMultipartUpload": "belongs to a bucket that is tagged and deleted",
		"CreateAlias":           "belongs to a function or a key",
		"CreateSchedule":        "has no tags; a disabled schedule costs nothing",
	}
}

// refuseUntagged stops a call that would make a resource without the tags, before it is sent.
func refuseUntagged(tags map[string]string) middleware.InitializeMiddleware {
	return middleware.InitializeMiddlewareFunc("RefuseUntagged",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
			middleware.InitializeOutput, middleware.Metadata, error,
		) {
			name := awsmiddleware.GetOperationName(ctx)
			_, exempt := untaggable()[name]
			makes := strings.HasPrefix(name, "Create") || name == "PutMetricAlarm" || name == "PutCompositeAlarm"
			if makes && !exempt && !tagged(in.Parameters, tags) {
				return middleware.InitializeOutput{}, middleware.Metadata{},
					fmt.Errorf("%w: %s without the budget tag", ErrRefused, name)
			}
			return next.HandleInitialize(ctx, in)
		})
}

// tagged says whether the parameters hold each tag, in whichever of the SDK's forms:
// {"key":"value"}, or a list of pairs.
func tagged(parameters any, tags map[string]string) bool {
	data, err := json.Marshal(parameters)
	if err != nil {
		return false
	}
	var v any
	if json.Unmarshal(data, &v) != nil {
		return false
	}
	for key, value := range tags {
		if !holds(v, key, value) {
			return false
		}
	}
	return true
}

// holds looks through Tags fields only, so that a name or a text which reads the same does not count.
func holds(v any, key, value string) bool {
	fields, ok := v.(map[string]any)
	if !ok {
		return false
	}
	for name, field := range fields {
		switch field := field.(type) {
		case map[string]any:
			if name == "Tags" && field[key] == value || name != "Tags" && holds(field, key, value) {
				return true
			}
		case []any:
			if name == "Tags" && slices.ContainsFunc(field, func(pair any) bool { return isPair(pair, key, value) }) {
				return true
			}
		}
	}
	return false
}

func isPair(v any, key, value string) bool {
	pair, ok := v.(map[string]any)
	return ok && (pair["Key"] == key && pair["Value"] == value || pair["TagKey"] == key && pair["TagValue"] == value)
}
