package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// packages is where MariaDB's packages are unpacked.
func (m *mysqlServer) packages() string { return m.folder.opt("mariadb") }

// unpackMariaDB fetches the distribution's packages of MariaDB and unpacks them. Nothing is
// installed; it needs no root.
func (m *mysqlServer) unpackMariaDB(ctx context.Context) (server, error) {
	program := filepath.Join(m.packages(), "usr/sbin/mariadbd")
	if isFile(program) {
		return m.inspect(ctx, program)
	}
	for _, tool := range []string{"apt-get", "apt-cache", "dpkg-deb", "dpkg-query"} {
		if _, err := exec.LookPath(tool); err != nil {
			return server{}, fmt.Errorf("%w: this machine has no MySQL or MariaDB server and no %s to fetch one: install one "+
				"(`brew install mariadb`, `dnf install mariadb-server`, `pacman -S mariadb`; it need not run), or use Docker",
				ErrConfig, tool)
		}
	}
	unlock, err := lock(ctx, m.folder.opt("mariadb.lock"),
		func() { m.step(mysqlName, "waiting for another installation") })
	if err != nil {
		return server{}, err
	}
	defer unlock()
	if isFile(program) {
		return m.inspect(ctx, program)
	}
	done := m.step(mysqlName, "downloading MariaDB")
	dir := filepath.Join(m.folder.cache(), "mariadb")
	if err := m.fetchPackages(ctx, dir); err != nil {
		return server{}, err
	}
	partial := m.packages() + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return server{}, fmt.Errorf("clear half an installation: %w", err)
	}
	if err := makeFolder(partial); err != nil {
		return server{}, err
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.deb")) // only a bad pattern is an error
	for _, file := range files {
		if err := m.run(ctx, command{path: "dpkg-deb", args: []string{"-x", file, partial}, env: os.Environ(),
			dir: dir}); err != nil {
			return server{}, fmt.Errorf("unpack %s: %w", filepath.Base(file), err)
		}
	}
	if err := os.Rename(partial, m.packages()); err != nil {
		return server{}, fmt.Errorf("put MariaDB in place: %w", err)
	}
	s, err := m.inspect(ctx, program)
	if err != nil {
		return server{}, err
	}
	done("installed MariaDB")
	return s, nil
}

// fetchPackages downloads with the machine's package lists; when it has none, or old ones, with
// lists of our own.
func (m *mysqlServer) fetchPackages(ctx context.Context, dir string) error {
	first := m.fetchWith(ctx, dir)
	if first == nil || ctx.Err() != nil {
		return first
	}
	state := filepath.Join(m.folder.cache(), "apt")
	for _, sub := range []string{"lists/partial", "archives/partial"} {
		if err := makeFolder(filepath.Join(state, sub)); err != nil {
			return err
		}
	}
	own := []string{
		"-o", "Dir::State::Lists=" + filepath.Join(state, "lists"), "-o", "Dir::Cache=" + state,
		"-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User=", // as whoever we are
	}
	update := append([]string{"update", "-qq"}, own...)
	err := m.run(ctx, command{path: "apt-get", args: update, env: os.Environ(), dir: dir})
	if err == nil {
		err = m.fetchWith(ctx, dir, own...)
	}
	if err != nil {
		return fmt.Errorf("download MariaDB (are the distribution's package servers reachable? Any MySQL or MariaDB server "+
			"on the PATH will do as well): %w", err)
	}
	return nil
}

// fetchWith downloads the server, the client tools that make its data folder, and those packages
// they need that the machine lacks.
func (m *mysqlServer) fetchWith(ctx context.Context, dir string, options ...string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clear old packages: %w", err)
	}
	if err := makeFolder(dir); err != nil {
		return err
	}
	var wanted []string
	seen := map[string]bool{}
	for next := []string{"mariadb-server-core", "mariadb-client-core"}; len(next) > 0; {
		wanted = append(wanted, next...)
		needs, err := dependencies(ctx, next, options)
		if err != nil {
			return err
		}
		for _, name := range wanted {
			seen[name] = true
		}
		needs = slices.DeleteFunc(needs, func(name string) bool { return seen[name] })
		next = missingPackages(ctx, needs)
		for _, name := range needs {
			seen[name] = true
		}
	}
	args := append([]string{"download", "-qq"}, options...)
	return m.run(ctx, command{path: "apt-get", args: append(args, wanted...), env: os.Environ(), dir: dir})
}

// dependencies are the packages that these need directly; of alternatives the first.
func dependencies(ctx context.Context, names, options []string) ([]string, error) {
	args := append([]string{"depends", "--important"}, options...)
	out, err := exec.CommandContext(ctx, "apt-cache", append(args, names...)...).Output()
	if err != nil {
		var said []byte
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			said = exit.Stderr
		}
		return nil, fmt.Errorf("ask apt for what %s need: %w%s", strings.Join(names, ", "), err, lastLines(said))
	}
	return parseDependencies(string(out)), nil
}

// parseDependencies reads what `apt-cache depends` prints: " Depends: name", and " |Depends: name"
// when the next line is an alternative to it.
func parseDependencies(text string) []string {
	var names []string
	alternative := false
	for line := range strings.Lines(text) {
		kind, name, ok := strings.Cut(strings.TrimSpace(line), ": ")
		more := strings.HasPrefix(kind, "|")
		kind = strings.TrimPrefix(kind, "|")
		if !ok || kind != "Depends" && kind != "PreDepends" {
			continue
		}
		if !alternative && !strings.HasPrefix(name, "<") { // <…> is virtual
			names = append(names, strings.TrimSpace(name))
		}
		alternative = more
	}
	return names
}

// missingPackages are those of names that the machine has not installed, each once.
func missingPackages(ctx context.Context, names []string) []string {
	if len(names) == 0 {
		return nil
	}
	args := append([]string{"-W", "-f", "${Package} ${db:Status-Status}\n"}, names...)
	out, _ := exec.CommandContext(ctx, "dpkg-query", args...).Output() // fails when it does not know one of them
	installed := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		name, state, _ := strings.Cut(strings.TrimSpace(line), " ")
		installed[name] = state == "installed"
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return installed[name] })
}
