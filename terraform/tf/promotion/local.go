package promotion

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-sql-driver/mysql"

	"kindred/localstack/settings"
)

// Local is terraform/local: the streaming half in LocalStack.
type Local struct {
	root *Root
	plan string // path of the last plan
	vars string // path of the variables' file
}

// LocalConfig names the LocalStack, the databases and the functions.
type LocalConfig struct {
	Endpoint    string            // of LocalStack
	PGVectorDSN string            // as serve uses it
	WriterDSN   string            // as recommend does
	MySQLDSN    string            // its login goes into a secret
	Functions   map[string][]byte // zips with bootstrap, of recommend and serve
	Suffix      string            // is added to every name; "" means the stack's own resources
	Wrapper     string            // path of tflocal, to run it instead of terraform, or ""
	Out         *os.File          // where apply and destroy show their output; nil keeps it for errors
}

// OpenLocal writes the functions and the variables into the state folder and initialises the root.
// The state is terraform.tfstate in the folder local (with a suffix: local-SUFFIX) of w.State.
func OpenLocal(ctx context.Context, w *Workspace, s settings.Settings, c LocalConfig) (*Local, error) {
	name := "local"
	if c.Suffix != "" {
		name += "-" + c.Suffix
	}
	folder := filepath.Join(w.State, name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("prepare terraform/local: %w", err)
	}
	l := &Local{
		root: w.Root("local", name, Emulator(c.Endpoint, s.Region)...),
		plan: filepath.Join(folder, "plan"),
		vars: filepath.Join(folder, "terraform.tfvars.json"),
	}
	if c.Wrapper != "" {
		l.root.Program = c.Wrapper
	}
	shop, err := mysql.ParseDSN(c.MySQLDSN)
	if err != nil {
		// the driver's error contains the password
		return nil, errors.New("prepare terraform/local: MYSQL_DSN is not a valid DSN")
	}
	zips, files := map[string]string{}, map[string][]byte{}
	for name, zip := range c.Functions {
		zips[name] = filepath.Join(folder, name+".zip")
		files[zips[name]] = zip
	}
	files[l.vars], err = json.Marshal(map[string]any{
		"endpoint": c.Endpoint, "pgvector_dsn": c.PGVectorDSN, "pgvector_writer_dsn": c.WriterDSN,
		"function_zips": zips, "suffix": c.Suffix,
		"shop_login":        map[string]string{"username": shop.User, "password": shop.Passwd},
		"host_architecture": settings.Function{Architecture: "host"}.LambdaArchitecture(),
	})
	if err != nil {
		return nil, fmt.Errorf("prepare terraform/local: %w", err)
	}
	for path, data := range files {
		if err := os.WriteFile(path, data, 0o600); err != nil { // the variables contain the local databases' passwords
			return nil, fmt.Errorf("prepare terraform/local: %w", err)
		}
	}
	if err := l.root.Init(ctx, "-backend-config=path="+filepath.Join(folder, "terraform.tfstate")); err != nil {
		return nil, err
	}
	l.root.Out = c.Out
	return l, nil
}

// Apply creates and changes what differs from the configuration.
func (l *Local) Apply(ctx context.Context) error {
	_, err := l.root.Run(ctx, "apply", "-input=false", "-no-color", "-auto-approve", "-compact-warnings",
		"-var-file="+l.vars)
	return err
}

// Destroy deletes everything in the state.
func (l *Local) Destroy(ctx context.Context) error {
	_, err := l.root.Run(ctx, "destroy", "-input=false", "-no-color", "-auto-approve", "-compact-warnings",
		"-var-file="+l.vars)
	return err
}

// Plan returns what an apply would change.
func (l *Local) Plan(ctx context.Context) ([]Change, error) {
	if _, err := l.root.Run(ctx, "plan", "-input=false", "-no-color", "-var-file="+l.vars, "-out="+l.plan); err != nil {
		return nil, err
	}
	quiet := *l.root
	quiet.Out = nil // JSON is for this program, not for a person
	plan, err := quiet.Run(ctx, "show", "-json", l.plan)
	if err != nil {
		return nil, err
	}
	return Changes(plan)
}
