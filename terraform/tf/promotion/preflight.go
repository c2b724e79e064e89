package promotion

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// unreservedAtLeast is how many executions of an account AWS keeps for functions without a reservation
// (https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html).
const unreservedAtLeast = 100

// wanted is what is checked of an environment's variables before a plan.
type wanted struct {
	Concurrency *float64 `json:"function_concurrency"`
	Source      *struct {
		Host string
	} `json:"existing_source_database"`
	Feedback *struct{}
}

// preflight checks what AWS and the shop's server would refuse after minutes: reserved executions that
// the account does not have, a server whose certificate nothing can verify, and feedback without DuckDB in
// the image (duckdb). It returns more arguments of the plan, with the reason for a person.
func preflight(ctx context.Context, cfg aws.Config, variables, authorities []byte, duckdb bool) (more []string,
	reason string, err error) {
	var want wanted
	if err := json.Unmarshal(variables, &want); err != nil {
		return nil, "", fmt.Errorf("read variables: %w", err)
	}
	switch {
	case duckdb && want.Feedback == nil:
		more = append(more, "-var=feedback={}")
	case !duckdb && want.Feedback != nil:
		return nil, "", fmt.Errorf("%w: the variable feedback needs it: give the promotion --duckdb", ErrDuckDB)
	}
	if want.Source != nil {
		if err := verifiable(want.Source.Host, authorities); err != nil {
			return nil, "", err
		}
	}
	if want.Concurrency != nil && *want.Concurrency < 0 {
		return more, "", nil
	}
	account, err := lambda.NewFromConfig(cfg).GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil {
		return nil, "", fmt.Errorf("read how many functions the account may run at once: %w", err)
	}
	if account.AccountLimit == nil || account.AccountLimit.ConcurrentExecutions > unreservedAtLeast {
		return more, "", nil
	}
	most := account.AccountLimit.ConcurrentExecutions
	if want.Concurrency != nil {
		return nil, "", fmt.Errorf("%w: the account may run %d functions at once, and AWS lets it reserve none of them: set "+
			"function_concurrency to -1, or ask AWS for a higher quota (Service Quotas, AWS Lambda, Concurrent executions)",
			ErrConcurrency, most)
	}
	return append(more, "-var=function_concurrency=-1"),
		fmt.Sprintf("the account may run %d functions at once, so that AWS reserves none: function_concurrency is -1",
			most), nil
}

// emptyShop says that the variables name no shop's MySQL, so that the environment makes an empty one.
func emptyShop(variables []byte) bool {
	var want wanted
	return json.Unmarshal(variables, &want) == nil && want.Source == nil
}

// verifiable checks that the authorities, in PEM form, can include the one of a server outside RDS. RDS's
// own authorities sign certificates for names of RDS only.
func verifiable(host string, authorities []byte) error {
	if strings.HasSuffix(host, ".rds.amazonaws.com") || strings.HasSuffix(host, ".rds.amazonaws.com.cn") {
		return nil
	}
	for rest := bytes.TrimSpace(authorities); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err == nil && !strings.Contains(certificate.Subject.String(), "Amazon RDS") {
			return nil
		}
	}
	return fmt.Errorf("%w: existing_source_database.host is %s, and the file of --rds-ca contains only RDS's "+
		"authorities, which "+
		"sign for names of RDS alone: use the RDS instance's own endpoint, or append the certificate of the authority that "+
		"signed the server's (cat shop-ca.pem >> global-bundle.pem)", ErrNoAuthority, host)
}
