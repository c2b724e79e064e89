package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"kindred/localstack/settings"
	"kindred/localstack/stack"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/localstack"
	"github.com/testcontainers/testcontainers-go/modules/mysql"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
	readiness "github.com/testcontainers/testcontainers-go/wait"
	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"
)

// service is what the tests' containers take from the compose file, which alone has images and settings.
type service struct {
	Image       string
	Command     []string
	Environment map[string]string
	ExtraHosts  []string `yaml:"extra_hosts"`
}

// readServices reads the compose file as compose does, with these variables.
func readServices(path string, variables map[string]string) (map[string]service, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read compose file: %w", err)
	}
	reference := regexp.MustCompile(`\$\{(\w+):[-?]([^}]*)\}`)
	text = reference.ReplaceAllFunc(text, func(found []byte) []byte {
		parts := reference.FindSubmatch(found)
		if value, ok := variables[string(parts[1])]; ok {
			return []byte(value)
		}
		return parts[2]
	})
	var file struct{ Services map[string]service }
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("decode compose file: %w", err)
	}
	return file.Services, nil
}

// containerTime bounds how long a container may take to be ready: MySQL makes its data in 15 s, on
// a busy machine in minutes.
const containerTime = 4 * time.Minute

// run are the options that make a module's container the service: on loopback, and with nothing
// mounted but these.
func (s service) run(ready readiness.Strategy, hostPort string, binds []string,
	ports ...string) []testcontainers.ContainerCustomizer {
	return []testcontainers.ContainerCustomizer{
		testcontainers.WithWaitStrategyAndDeadline(containerTime, ready),
		testcontainers.WithEnv(s.Environment),
		testcontainers.WithCmd(s.Command...),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) {
			c.Binds = binds // LocalStack's module would mount the engine's socket
			c.ExtraHosts = s.ExtraHosts
			c.PortBindings = network.PortMap{}
			for _, port := range ports {
				c.PortBindings[network.MustParsePort(port)] = []network.PortBinding{{HostIP: netip.MustParseAddr("127.0.0.1"),
					HostPort: hostPort}}
			}
		}),
	}
}

// hostFor is an address of this machine that a container reaches: the engine's gateway, or loopback
// where the engine runs in a virtual machine, which leads host.docker.internal there.
func hostFor(ctx context.Context, c testcontainers.Container) (string, error) {
	state, err := c.Inspect(ctx)
	if err != nil {
		return "", err
	}
	for _, n := range state.NetworkSettings.Networks {
		l, err := net.Listen("tcp", net.JoinHostPort(n.Gateway.String(), "0"))
		if err == nil {
			return n.Gateway.String(), l.Close()
		}
	}
	return "127.0.0.1", nil
}

// startContainers starts the compose file's services as containers of this test run alone. It
// returns the environment file's content, an address of this machine that functions reach, and what
// ends the containers, whatever the error.
func startContainers(ctx context.Context) (env map[string]string, host string, stop func(context.Context) error,
	err error) {
	var started []testcontainers.Container
	stop = func(ctx context.Context) error {
		var failures []error
		for _, c := range started {
			failures = append(failures, testcontainers.TerminateContainer(c, testcontainers.StopContext(ctx)))
		}
		return errors.Join(failures...)
	}
	file, err := filepath.Abs(filepath.Join("..", stack.ComposeFile))
	if err != nil {
		return nil, "", stop, fmt.Errorf("find compose file: %w", err)
	}
	const password = "kindred" // the containers listen on loopback only and end with the tests
	services, err := readServices(file,
		map[string]string{"KINDRED_POSTGRES_PASSWORD": password, "KINDRED_MYSQL_PASSWORD": password})
	if err != nil {
		return nil, "", stop, err
	}
	resources, err := settings.Load()
	if err != nil {
		return nil, "", stop, err
	}
	env = resources.Env()

	pg, my, aws := services["postgres"], services["mysql"], services["localstack"]
	var vectors *postgres.PostgresContainer
	var shop *mysql.MySQLContainer
	var group errgroup.Group
	group.Go(func() (err error) {
		// The first time it is ready to make its data.
		ready := readiness.ForLog("database system is ready to accept connections").WithOccurrence(2).WithStartupTimeout(
			containerTime)
		vectors, err = postgres.Run(ctx, pg.Image, pg.run(ready, "", nil, "5432/tcp")...)
		return err
	})
	group.Go(func() (err error) {
		ready := readiness.ForLog("port: 3306  MySQL Community Server").WithStartupTimeout(containerTime)
		accounts := mysql.WithScripts(filepath.Join(filepath.Dir(file), "mysql.sql"))
		shop, err = mysql.Run(ctx, my.Image, append(my.run(ready, "", nil, "3306/tcp", "33060/tcp"), accounts)...)
		return err
	})
	err = group.Wait()
	started = append(started, vectors, shop)
	if err != nil {
		return nil, "", stop, err
	}
	if env["PGVECTOR_DSN"], err = vectors.ConnectionString(ctx, "sslmode=disable"); err != nil {
		return nil, "", stop, err
	}
	if env["MYSQL_DSN"], err = shop.ConnectionString(ctx, "parseTime=true"); err != nil {
		return nil, "", stop, err
	}

	emulator, port, err := startEmulator(ctx, aws, vectors, filepath.Dir(file))
	started = append(started, emulator)
	if err != nil {
		return nil, "", stop, err
	}
	env["AWS_ENDPOINT_URL"] = fmt.Sprintf("http://127.0.0.1:%d", port)
	host, err = hostFor(ctx, emulator)
	return env, host, stop, err
}

// startEmulator starts LocalStack, which knows the way to PostgreSQL, and returns its port on this
// machine. folder is the compose file's.
func startEmulator(ctx context.Context, aws service, vectors *postgres.PostgresContainer,
	folder string) (testcontainers.Container, int, error) {
	inside, err := vectors.ContainerIP(ctx)
	if err != nil {
		return nil, 0, err
	}
	outside, err := vectors.MappedPort(ctx, "5432/tcp")
	if err != nil {
		return nil, 0, err
	}
	port, err := unusedPort() // chosen here, because the functions' variables name it
	if err != nil {
		return nil, 0, err
	}
	aws.Environment = maps.Clone(aws.Environment)
	aws.Environment["KINDRED_LOOPBACK"] = fmt.Sprintf("%d=127.0.0.1:4566,%s=%s:5432", port, outside.Port(), inside)
	aws.Environment["LOCALSTACK_HOST"] = fmt.Sprintf("localhost.localstack.cloud:%d", port)
	executor := filepath.Join(folder, "executor") + ":/opt/kindred:ro,z"
	ready := readiness.ForHTTP("/_localstack/kindred").WithPort("4566/tcp").WithStartupTimeout(containerTime)
	emulator, err := localstack.Run(ctx, aws.Image, aws.run(ready, strconv.Itoa(port), []string{executor}, "4566/tcp")...)
	return emulator, port, err
}
