package stack

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// TestContainersGetTheOptionsOfNativeMode: the compose file repeats them, for those who run it
// without this package.
func TestContainersGetTheOptionsOfNativeMode(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("../..", ComposeFile))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Image       string
			Command     []string
			Environment map[string]string
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	localstack, postgres, mysql := file.Services[emulatorName], file.Services[postgresName], file.Services[mysqlName]
	compare := func(what string, native, containers any) {
		if diff := cmp.Diff(native, containers); diff != "" {
			t.Errorf("%s of %s differ (-native +containers):\n%s", what, ComposeFile, diff)
		}
	}

	compare("localstack's version", "localstack/localstack:"+emulatorVersion, localstack.Image)
	settings := map[string]string{}
	for _, s := range emulatorSettings {
		name, value, _ := strings.Cut(s, "=")
		settings[name] = value
	}
	// addresses and folders of the container
	inside := []string{"GATEWAY_LISTEN", "HOME", "KINDRED_LOOPBACK", "PYTHONPATH", "TMPDIR"}
	maps.DeleteFunc(localstack.Environment, func(name, _ string) bool { return slices.Contains(inside, name) })
	compare("localstack's settings", settings, localstack.Environment)

	compare("postgres's locale", strings.Join(postgresLocale, " "), postgres.Environment["POSTGRES_INITDB_ARGS"])
	var command []string
	for _, s := range postgresSettings {
		command = append(command, "-c", s)
	}
	compare("postgres's settings", command, postgres.Command)

	var options []string
	for _, o := range mysqlOptions {
		options = append(options, strings.Replace(o, "--loose-", "--", 1)) // the image is MySQL
	}
	compare("mysql's options", options, mysql.Command)
}

func TestDownWithoutTheEngineSaysWhatToDo(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nowhere")
	s, err := Open(Config{State: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(writeSecret(s.folder.mode(), []byte(Docker)), writeEnv(s.folder.composeEnv(), nil)); err != nil {
		t.Fatal(err)
	}
	if err := s.Down(t.Context()); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), s.folder.composeEnv()) {
		t.Errorf("down says %v", err)
	}
	if err := os.Remove(s.folder.composeEnv()); err != nil {
		t.Fatal(err)
	}
	if err := s.Down(t.Context()); err != nil || isFile(s.folder.mode()) {
		t.Errorf("down says %v, or keeps the mode", err)
	}
}
