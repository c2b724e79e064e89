package integration

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/go-sql-driver/mysql"
)

// TestEtlReadsItsLoginFromASecret runs etl with an address that holds no login, as on AWS: the
// secret has it, in either of its forms.
func TestEtlReadsItsLoginFromASecret(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn, _ := stack.mustShop(t, etlShop)
	all := stack.mustLake(t)
	login, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal("parse MySQL address")
	}
	if login.Passwd == "" {
		login.Passwd = "none is asked for" // by a server whose user has none
	}
	rds, err := json.Marshal(map[string]string{"username": login.User, "password": login.Passwd})
	if err != nil {
		t.Fatal(err)
	}
	address := login.Clone()
	address.User, address.Passwd = "", ""
	for name, test := range map[string]struct{ secret, dsn string }{
		"login in addition to an address": {string(rds), address.FormatDSN()},
		"whole DSN":                       {dsn, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := all.another()
			arn := mustSecret(t, stack, test.secret)
			if a := run(t, append(l.env(test.dsn, ""), "MYSQL_SECRET_ARN="+arn), mustProgram(t, "etl")); a.code != 0 {
				t.Fatalf("exit %d: %s", a.code, a.stderr)
			}
			l.wantWhole(t, l.current(t))
		})
	}
	t.Run("no form", func(t *testing.T) {
		t.Parallel()
		a := run(t, append(all.env(address.FormatDSN(), ""), "MYSQL_SECRET_ARN="+mustSecret(t, stack, "geheim")),
			mustProgram(t, "etl"))
		a.wantSentence(t, 2, "holds neither a DSN nor {username, password}")
		if strings.Contains(a.stderr, "geheim") {
			t.Errorf("the sentence holds the secret: %s", a.stderr)
		}
	})
	t.Run("no secret", func(t *testing.T) {
		t.Parallel()
		run(t, append(all.env(address.FormatDSN(), ""), "MYSQL_SECRET_ARN=kindred-absent"), mustProgram(t, "etl")).
			wantSentence(t, 1, "read secret kindred-absent")
	})
}

// mustSecret keeps a string in Secrets Manager until the test ends.
func mustSecret(t *testing.T, stack Stack, value string) (arn string) {
	t.Helper()
	client := secretsmanager.NewFromConfig(stack.AWS)
	made, err := client.CreateSecret(t.Context(),
		&secretsmanager.CreateSecretInput{Name: aws.String("kindred-" + randomName()), SecretString: &value})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := cleanupContext()
		defer stop()
		_, err := client.DeleteSecret(ctx,
			&secretsmanager.DeleteSecretInput{SecretId: made.ARN, ForceDeleteWithoutRecovery: aws.Bool(true)})
		if err != nil {
			t.Errorf("delete the secret: %v", err)
		}
	})
	return *made.ARN
}
