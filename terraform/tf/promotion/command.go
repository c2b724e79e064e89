package promotion

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"kindred/internal/platform/artifact"
	"kindred/internal/platform/program"
	"kindred/localstack/provision"
	"kindred/localstack/settings"
	"kindred/localstack/stack"
)

// Description is the first line of the program's help.
const Description = "Run Terraform for kindred: create the local stack's resources, build packages, promote a commit " +
	"to AWS."

// Command is the program's grammar.
type Command struct {
	Local   localCommand   `cmd:"" help:"Build what terraform/local describes in the running LocalStack: buckets, the stream with its functions, an encryption key, logins and alarms."`
	Package packageCommand `cmd:"" help:"Build the functions' zips, the image and the Glue jobs' programs. The same commit gives the same bytes."`
	Promote promoteCommand `cmd:"" help:"Package this commit and promote it to an environment on AWS, after a plan and a confirmation."`
	Tunnel  tunnelCommand  `cmd:"" help:"Lead a port of this machine to the vector database of an environment on AWS, until Ctrl-C."`
}

type packageCommand struct {
	RDSCA  string `name:"rds-ca" type:"existingfile" placeholder:"FILE" help:"RDS's certificate authorities (global-bundle.pem). Without them the packages cannot reach databases on AWS."`
	DuckDB string `name:"duckdb" type:"existingdir" placeholder:"FOLDER" help:"DuckDB's program for Linux on ARM64, with the libraries that it links, as docs/deploy.md makes it. Without it, feedback cannot run on AWS."`
	To     string `type:"path" placeholder:"FOLDER" help:"Where to write the packages. Default: terraform/package in the state folder."`
}

// Run builds the packages.
func (c *packageCommand) Run(ctx context.Context, out *program.Output) error {
	w, err := workspace()
	if err != nil {
		return err
	}
	var ca []byte
	if c.RDSCA != "" {
		if ca, err = os.ReadFile(c.RDSCA); err != nil {
			return fmt.Errorf("read RDS's certificate authorities: %w", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(ca) {
			return fmt.Errorf("read RDS's certificate authorities: %s contains no certificate", c.RDSCA)
		}
	}
	folder := cmp.Or(c.To, filepath.Join(w.State, "package"))
	if err := Package(ctx, w.Repository, folder, ca, c.DuckDB); err != nil {
		return err
	}
	list, err := os.ReadFile(filepath.Join(folder, sumsFile))
	if err != nil {
		return fmt.Errorf("package: %w", err)
	}
	return out.Result(strings.TrimSuffix(string(list), "\n"), map[string]any{"folder": folder, "rds_ca": ca != nil})
}

type localCommand struct {
	Action  string `arg:"" enum:"apply,plan,destroy" help:"What to do: apply, plan or destroy."`
	Tflocal bool   `help:"Run tflocal, LocalStack's wrapper, instead of terraform."`
	Empty   bool   `help:"With plan: exit with 1 if anything would change."`
}

// Run runs the action against the local stack.
func (c *localCommand) Run(ctx context.Context, out *program.Output) error {
	w, err := Open(ctx)
	if err != nil {
		return err
	}
	s, err := settings.Load()
	if err != nil {
		return err
	}
	local, err := stack.Open(stack.Config{Resources: s.Env()})
	if err != nil {
		return err
	}
	env, err := local.ReadEnv()
	if err != nil {
		return err
	}
	if err := provision.AdmitFunctions(ctx, env["PGVECTOR_DSN"], stack.Reader, stack.Writer); err != nil {
		return err
	}
	config := LocalConfig{Endpoint: env["AWS_ENDPOINT_URL"], PGVectorDSN: env["PGVECTOR_READER_DSN"],
		WriterDSN: env["PGVECTOR_WRITER_DSN"], MySQLDSN: env["MYSQL_DSN"], Functions: map[string][]byte{}}
	for _, function := range []string{"recommend", "serve"} {
		if config.Functions[function], err = artifact.BuildFunction(ctx, local.Home(), function,
			local.FunctionOS()); err != nil {
			return err
		}
	}
	if f, ok := out.Stderr.(*os.File); ok {
		config.Out = f
	}
	if c.Tflocal {
		bin, err := w.Python(ctx, "tflocal")
		if err != nil {
			return err
		}
		config.Wrapper = filepath.Join(bin, "tflocal")
	}
	l, err := OpenLocal(ctx, w, s, config)
	if err != nil {
		return err
	}
	switch c.Action {
	case "apply":
		if err := l.Apply(ctx); err != nil {
			return err
		}
		return out.Result("terraform/local is applied", struct{}{})
	case "destroy":
		if err := l.Destroy(ctx); err != nil {
			return err
		}
		return out.Result("everything of terraform/local is deleted", struct{}{})
	default:
		changes, err := l.Plan(ctx)
		if err != nil {
			return err
		}
		if err := out.Result(fmt.Sprintf("an apply would change %d resources", len(changes)), changes); err != nil {
			return err
		}
		if c.Empty && len(changes) > 0 {
			return fmt.Errorf("%w: %v", ErrChanges, changes)
		}
		return nil
	}
}
