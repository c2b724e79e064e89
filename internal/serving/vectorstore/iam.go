package vectorstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/jackc/pgx/v5"

	"kindred/internal/platform/awsenv"
)

// Who finds the credentials with which a program logs in by IAM.
type Who func(context.Context) (awsenv.Environment, error)

// onLambda are those that Lambda sets in the environment.
func onLambda(context.Context) (awsenv.Environment, error) { return awsenv.Load(os.Getenv) }

// loginByIAM returns what puts a login token into a new connection's configuration, in the
// password's place. A token is signed here, without a request, and good for 15 minutes, but only to
// begin with: each connection gets its own, and an open one stays. It is signed with the
// credentials of who. See https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html.
func loginByIAM(ctx context.Context, own *pgx.ConnConfig, who Who) (func(context.Context, *pgx.ConnConfig) error,
	error) {
	cfg, err := who(ctx)
	if err != nil {
		return nil, fmt.Errorf("log in by IAM: %w", err)
	}
	if own.TLSConfig == nil || own.TLSConfig.InsecureSkipVerify || len(own.Fallbacks) > 0 {
		return nil, errors.New("log in by IAM: PGVECTOR_DSN has no sslmode=verify-full, and another server could take the " +
			"token")
	}
	return func(ctx context.Context, c *pgx.ConnConfig) error {
		server := net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
		token, err := auth.BuildAuthToken(ctx, server, cfg.Region, c.User, cfg.Credentials)
		if err != nil {
			return fmt.Errorf("log in to %s by IAM: %w", server, err)
		}
		c.Password = token
		return nil
	}, nil
}
