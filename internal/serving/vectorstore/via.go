package vectorstore

import (
	"context"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5"

	"kindred/internal/platform/envconfig"
)

// through makes connections go to the address via, a tunnel's own end, unless it is "". The name that TLS
// verifies and that a token is for stays the server's.
func through(own *pgx.ConnConfig, via string) error {
	if via == "" {
		return nil
	}
	if host, port, err := net.SplitHostPort(via); err != nil || host == "" || port == "" {
		return fmt.Errorf("%w: PGVECTOR_VIA is %q, want host:port, such as 127.0.0.1:15432", envconfig.ErrConfig, via)
	}
	own.LookupFunc = func(context.Context, string) ([]string, error) { return []string{via}, nil }
	return nil
}
