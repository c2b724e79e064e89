// Package console shows kindred in a browser: the loop with what each part last did, the models and why the
// gate decided as it did, and what became of the events. It is a program for one person at a time, on
// their own machine. It owns the pages. Everything on them is read, when it is asked for, by the packages
// that the other programs use, and everything that is changed is changed by them: it keeps no state but counts
// of what flows by (package feed) and tasks that run (task.go).
package console

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"kindred/internal/job/console/feed"
	"kindred/internal/job/console/guard"
	"kindred/internal/platform/actor"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/logkey"
	"kindred/internal/platform/program"
)

// Description says what the program does, for its help.
const Description = "Show the loop, the models and what became of every event in a browser. The program prints an " +
	"address with a token: open it. What is not configured is left out of the pages."

// Time limits of the server.
const (
	headerTime = 5 * time.Second
	drainTime  = 2 * time.Second // for answers under way when the program is told to end
)

// Command is the program's grammar.
type Command struct {
	Run    RunCommand    `cmd:"" default:"withargs" help:"Show the pages (the default command)."`
	Report ReportCommand `cmd:"" help:"Write the overview, a model version, the outcome and the data into one HTML file that can be mailed. It names no customer."`
}

// Sources are what the pages are read from, each as it is set.
type Sources struct {
	envconfig.PGVector
	envconfig.Stream
	MySQL           envconfig.MySQL           `embed:""`
	Lake            envconfig.Lake            `embed:""`
	Erasure         envconfig.Erasure         `embed:""`
	Artifacts       envconfig.Artifacts       `embed:""`
	Recommendations envconfig.Recommendations `embed:""`
	Shop            envconfig.OnlyShop        `embed:"" set:"shop_use=Audit the events of this shop only; other shops share the stream. Default: account for all events"`
	Shared          envconfig.SharedStream    `embed:""`

	Window time.Duration `default:"24h" help:"Without a roll-up: how far back to count events and answers when the program starts. It reads all of them once, in the background."`
}

// RunCommand is `console`.
type RunCommand struct {
	Sources

	Listen    string   `default:"127.0.0.1:8090" placeholder:"ADDRESS" help:"Address and port to listen on; port 0 takes a free one. Keep it on the loopback interface: anyone who has the token can read customers' data, and change which model is live. To look from elsewhere, tunnel."`
	AllowHost []string `placeholder:"NAME" help:"Host name that requests may be addressed to, in addition to localhost and loopback addresses. May be repeated."`
	ReadOnly  bool     `help:"Show no button that changes anything, and refuse such requests."`
	Actor     string   `placeholder:"NAME" help:"Person or role that acts, as the history of the models records it. Default: the AWS role on AWS, elsewhere the user of this machine."`
}

// AfterApply finds out who acts, unless a flag says it.
func (c *RunCommand) AfterApply() error {
	if c.Actor == "" {
		c.Actor = actor.Name()
	}
	return nil
}

// Run serves until ctx ends.
func (c *RunCommand) Run(ctx context.Context, out *program.Output) error {
	from, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer from.close()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("%w: --listen: %w", program.ErrConfig, err)
	}
	s, err := newServer(from, c.ReadOnly, c.Actor, out.Log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	gate := guard.New(listener.Addr().String(), append(c.AllowHost, hostOf(c.Listen)), out.Log, s.refuse)
	s.formToken = gate.FormToken()
	address := "http://" + listener.Addr().String() + "/?" + gate.Query()
	if err := out.Result("The console is open at "+address, struct {
		Address string `json:"address"`
	}{address}); err != nil {
		return errors.Join(err, listener.Close())
	}
	return serve(ctx, out, listener, gate.Protect(gate.Logged(s.handler()), assetPath), from.feed, s)
}

func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address) // Listen has refused what is no address
	return host
}

// serve answers until ctx ends. The feed and the tasks end with it.
func serve(ctx context.Context, out *program.Output, listener net.Listener, handler http.Handler, flow *feed.Feed,
	s *server) error {
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	s.tasks.ctx = ctx
	beside.Go(func() { flow.Run(ctx) })
	web := &http.Server{Handler: handler, ReadHeaderTimeout: headerTime, IdleTimeout: time.Minute}
	ended := make(chan error, 1)
	beside.Go(func() { ended <- web.Serve(listener) })
	select {
	case err := <-ended:
		return fmt.Errorf("serve the console: %w", err)
	case <-ctx.Done():
	}
	drain, stop := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer stop()
	if err := web.Shutdown(drain); err != nil {
		out.Log.WarnContext(ctx, "answers were cut off", logkey.Error, err.Error())
		return web.Close()
	}
	s.tasks.wait()
	s.from.profiles.wait()
	return nil
}
