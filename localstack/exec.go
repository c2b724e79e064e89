package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"

	"github.com/go-sql-driver/mysql"
)

// dialTime bounds the wait for a server of this machine, which answers at once or not at all.
const dialTime = 5 * time.Second

// execIt runs another program with the stack's environment. The Makefile runs everything by it.
type execIt struct {
	Command []string `arg:"" passthrough:"" help:"Program to run, and its arguments."`
}

// Run replaces this process by the program. A program that is only asked for its help or version
// needs no stack.
func (c *execIt) Run(ctx context.Context, out *program.Output) error {
	args := c.Command
	if args[0] == "--" && len(args) > 1 {
		args = args[1:]
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return fmt.Errorf("%w: %w", program.ErrConfig, err)
	}
	environment := os.Environ()
	if !slices.ContainsFunc(args, func(a string) bool { return a == "--help" || a == "-h" || a == "--version" }) {
		local, _, err := open(out)
		if err != nil {
			return err
		}
		written, err := local.ReadEnv()
		if err != nil {
			return err
		}
		if environment, err = ofShop(environment, local.State()); err != nil {
			return err
		}
		var overruled []string
		environment, overruled = envconfig.Under(environment, written)
		if len(overruled) > 0 {
			fmt.Fprintf(out.Stderr, "%s: your environment's, not the local stack's\n", strings.Join(overruled, ", "))
		}
		if err := reach(ctx, written, overruled); err != nil {
			return err
		}
	}
	return syscall.Exec(path, args, environment)
}

// ofShop adds the variables that connect wrote for the shop that SHOP_NAME names, where it has written
// some: its lake, its artifacts, its databases. What the caller sets wins.
func ofShop(environment []string, state string) ([]string, error) {
	shop := envconfig.Shop{Name: os.Getenv("SHOP_NAME")}
	if err := shop.Check(); err != nil || shop.Name == "" {
		return environment, err
	}
	variables, err := envconfig.ReadFile(filepath.Join(state, "shops", shop.Name, "env"))
	if errors.Is(err, fs.ErrNotExist) {
		return environment, nil
	}
	if err != nil {
		return nil, err
	}
	environment, _ = envconfig.Under(environment, variables)
	return environment, nil
}

// reach dials the stack's servers that the program may use: those that the caller did not replace by
// others.
func reach(ctx context.Context, written map[string]string, overruled []string) error {
	var problems []string
	for _, server := range []struct{ name, variable string }{
		{"LocalStack", "AWS_ENDPOINT_URL"}, {"PostgreSQL", "PGVECTOR_DSN"}, {"MySQL", "MYSQL_DSN"},
	} {
		if slices.Contains(overruled, server.variable) {
			continue
		}
		address, err := addressOf(written[server.variable])
		if err != nil {
			return fmt.Errorf("%w: %s in the environment file: %w; `make local-up` writes it again", program.ErrConfig,
				server.variable, err)
		}
		dialer := net.Dialer{Timeout: dialTime}
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			problems = append(problems, server.name+" at "+address)
			continue
		}
		_ = conn.Close() // nothing was sent
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: the local stack does not answer (%s): run `make local-up`", program.ErrConfig,
			strings.Join(problems, ", "))
	}
	return nil
}

// addressOf is the host and port of a URL or of a DSN for MySQL.
func addressOf(value string) (string, error) {
	if strings.Contains(value, "://") {
		u, err := url.Parse(value)
		if err != nil || u.Port() == "" {
			return "", errors.New("no URL with a port") // the error would show a password
		}
		return u.Host, nil
	}
	dsn, err := mysql.ParseDSN(value)
	if err != nil {
		return "", errors.New("no address of MySQL")
	}
	return dsn.Addr, nil
}
