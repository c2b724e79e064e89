package integration

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/localstack/stack"
)

// returnTime bounds how long a killed container may take to come back by itself.
const returnTime = 2 * time.Minute

// testDocker lives through containers.
func (n ownStack) testDocker(t *testing.T) {
	first := n.mustUp(t)
	n.testRunning(t, first)
	names, project := map[string]string{}, ""
	for _, st := range first {
		names[st.Part] = strings.TrimPrefix(st.Log, "docker logs ")
		project = "label=com.docker.compose.project=" +
			mustDocker(t, "inspect", "--format", `{{index .Config.Labels "com.docker.compose.project"}}`, names[st.Part])
	}
	t.Run("containers have no engine, no capability to keep and nothing to write to", func(t *testing.T) {
		for _, st := range first {
			format := "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Binds}}"
			out := mustDocker(t, "inspect", "--format", format, names[st.Part])
			if !strings.HasPrefix(out, "true [ALL] [no-new-privileges:true]") || strings.Contains(out, "docker.sock") {
				t.Errorf("%s: %s", st.Part, out)
			}
			status := mustDocker(t, "exec", names[st.Part], "cat", "/proc/1/status")
			if !strings.Contains(status, "CapEff:\t0000000000000000\n") || strings.Contains(status, "Uid:\t0\t") {
				t.Errorf("%s: its server has rights:\n%s", st.Part, status)
			}
		}
	})
	t.Run("another mode is refused while it runs", func(t *testing.T) {
		other, err := stack.Open(stack.Config{Mode: stack.Native, State: n.stack.State()})
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Up(t.Context()); err == nil || !strings.Contains(err.Error(), "local-down") {
			t.Errorf("up says %v", err)
		}
	})
	n.keepRows(t)
	t.Run("what is killed comes back by itself, with the databases' rows", func(t *testing.T) {
		kill := "kill -KILL"
		for _, st := range first {
			kill += fmt.Sprint(" ", st.PID)
		}
		// In the engine's own process numbers, which are another machine's where the engine runs in a virtual one.
		mustDocker(t, "run", "--rm", "--user=0", "--cap-drop=ALL", "--cap-add=KILL", "--pid=host", "--entrypoint=bash",
			mustDocker(t, "inspect", "--format={{.Image}}", names["postgres"]), "-c", kill)
		deadline := time.After(returnTime)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			all, err := n.stack.Status(t.Context())
			again := slices.ContainsFunc(all, func(st stack.Status) bool {
				return slices.ContainsFunc(first, func(old stack.Status) bool { return st.PID == old.PID })
			})
			if err == nil && all.Healthy() && !again {
				break
			}
			select {
			case <-deadline:
				t.Fatalf("after %s: %+v, %v", returnTime, all, err)
			case <-tick.C:
			}
		}
		n.checkRows(t)
	})
	t.Run("up mends what a person removed", func(t *testing.T) {
		for _, st := range first {
			mustDocker(t, "rm", "--force", names[st.Part])
		}
		n.mustUp(t)
		n.checkRows(t)
	})
	t.Run("down leaves the data, reset nothing", func(t *testing.T) { n.testDockerDown(t, project) })
}

// testDockerDown ends the containers of a project, then deletes its data.
func (n ownStack) testDockerDown(t *testing.T, project string) {
	if count := len(strings.Fields(mustDocker(t, "ps", "--all", "--quiet", "--filter", project))); count != 3 {
		t.Fatalf("%s has %d containers", project, count)
	}
	if err := n.stack.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := mustDocker(t, "ps", "--all", "--quiet", "--filter", project); left != "" {
		t.Errorf("containers %s are left", left)
	}
	if count := len(strings.Fields(mustDocker(t, "volume", "ls", "--quiet", "--filter", project))); count != 2 {
		t.Errorf("%d volumes are left of the two databases", count)
	}
	if err := n.stack.Reset(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if left := mustDocker(t, "volume", "ls", "--quiet", "--filter", project); left != "" {
		t.Errorf("volumes %s are left", left)
	}
}

func mustDocker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}
