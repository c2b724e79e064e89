package integration

import (
	"crypto/rand"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/go-sql-driver/mysql"

	"kindred/internal/lake/erased"
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

// TestProgramsReadTheListOfErasedPersons runs the programs of the chain on a lake with a list, as on AWS: they are
// told the name of its secret.
func TestProgramsReadTheListOfErasedPersons(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn, _ := stack.mustShop(t, etlShop)
	l := stack.mustLake(t)
	secret := rand.Text()
	if _, _, err := erased.Add(t.Context(), l.store, secret, []string{"somebody"}, nil); err != nil {
		t.Fatal(err)
	}
	arn, other := mustSecret(t, stack, secret), mustSecret(t, stack, rand.Text())
	programs := map[string][]string{"etl": nil, "feedback": {"RECOMMENDATIONS_BUCKET=" + stack.mustBucket(t),
		"DUCKDB=" + filepath.Join(mustPython(t, "duckdb-cli-1.5.6", "duckdb-cli==1.5.6"), "duckdb_cli", "duckdb")}}
	for program, more := range programs {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			env := append(append(l.env(dsn, ""), more...), "ERASE_SECRET=")
			if a := run(t, append(env, "ERASE_SECRET_ARN="+arn), mustProgram(t, program)); a.code != 0 {
				t.Errorf("exit %d: %s", a.code, a.stderr)
			}
			for arn, says := range map[string]string{"": "ERASE_SECRET is not set",
				other: "ERASE_SECRET is not the secret with which the list"} {
				a := run(t, append(env, "ERASE_SECRET_ARN="+arn), mustProgram(t, program))
				if a.code != 2 || !strings.Contains(a.stderr, says) {
					t.Errorf("exit %d: %s, want 2 and %q", a.code, a.stderr, says)
				}
			}
		})
	}
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
