package etl

import (
	"context"
	"encoding/json"
	"fmt"

	"kindred/internal/platform/awssecret"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/shop/mysqlsecret"
	"kindred/internal/shop/shopdb"
)

// AdmitCommand makes the login with which etl reads a shop that kindred created.
type AdmitCommand struct {
	MySQL        envconfig.MySQL `embed:""`
	MySQLSecret  string          `name:"mysql-secret" env:"MYSQL_SECRET_ARN" placeholder:"ARN" help:"Secrets Manager secret of a user who may create users: either {username, password} to add to --mysql-dsn, or a complete DSN."`
	ReaderSecret string          `name:"reader-secret" env:"MYSQL_READER_SECRET_ARN" required:"" placeholder:"ARN" help:"Secrets Manager secret with {username, password} of the reader."`
	ReaderStage  string          `name:"reader-stage" default:"AWSCURRENT" placeholder:"LABEL" help:"Label of the secret's version to read."`
}

// Run makes the user or gives it the secret's password. The user may read the shop's database, and nothing else.
func (c *AdmitCommand) Run(ctx context.Context, out *program.Output) error {
	dsn, err := mysqlsecret.DSN(ctx, c.MySQL.DSN, c.MySQLSecret)
	if err != nil {
		return err
	}
	text, err := awssecret.ReadStage(ctx, c.ReaderSecret, c.ReaderStage)
	if err != nil {
		return err
	}
	var login struct{ Username, Password string }
	if err := json.Unmarshal([]byte(text), &login); err != nil { // its text may quote the secret
		return fmt.Errorf("%w: secret %s, %s: it holds no {username, password}", program.ErrConfig, c.ReaderSecret,
			c.ReaderStage)
	}
	db, err := shopdb.Open(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := db.Admit(ctx, login.Username, login.Password); err != nil {
		return err
	}
	return out.Result(login.Username+" may read the shop, and nothing else.", struct {
		User string `json:"user"`
	}{login.Username})
}
