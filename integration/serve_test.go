package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kindred/internal/platform/artifact"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/localstack/provision"
)

// TestServeKeepsToItsDocumentWhateverIsSent lets schemathesis read the document that serve serves,
// and send it what fits the document and what does not: https://schemathesis.readthedocs.io.
func TestServeKeepsToItsDocumentWhateverIsSent(t *testing.T) {
	t.Parallel()
	packages := mustPython(t, "schemathesis-4.32.5", "schemathesis==4.32.5")
	stack := mustStack(t)
	dsn := stack.mustVectorDatabase(t)
	mustGoLive(t, mustVectorStore(t, dsn), recommendtest.Version("m900000000000001"))
	base := mustServe(t, dsn)
	check := exec.CommandContext(t.Context(), "python3", "-m", "schemathesis.cli", "run", base+"/openapi.json",
		"--checks", "all", "--mode", "all", "--phases", "examples,coverage,fuzzing", "--max-examples", "40", "--seed", "1",
		"--generation-database", "none", "--no-color")
	hooks, err := filepath.Abs("schemathesis")
	if err != nil {
		t.Fatal(err)
	}
	check.Env = append(os.Environ(), "PYTHONPATH="+packages+string(os.PathListSeparator)+hooks,
		"SCHEMATHESIS_HOOKS=kindred_hooks")
	check.Dir = t.TempDir() // it leaves files where it runs
	out, err := check.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "11 selected / 11 total") { // the document itself is not among them
		t.Errorf("not all operations were tested:\n%s", out)
	}
}

// TestServeAnswersAtItsFunctionURL provisions the function serve and asks it where LocalStack says
// that it is. LocalStack checks no signature.
func TestServeAnswersAtItsFunctionURL(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	own := mustOwnSettings(t, stack)
	dsn := stack.mustVectorDatabase(t)
	mustGoLive(t, mustVectorStore(t, dsn), recommendtest.Version("m900000000000002"))
	recommend, err := functionZip()
	if err != nil {
		t.Fatal(err)
	}
	serve, err := artifact.BuildFunction(t.Context(), "..", "serve", stack.FunctionOS)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"PGVECTOR_DSN": dsn}
	function := provision.Function{Zip: recommend, Serve: serve, Env: env, ServeEnv: env}
	made, err := provision.Apply(t.Context(), stack.AWS, own, function)
	if err != nil {
		t.Fatal(err)
	}
	again, err := provision.Apply(t.Context(), stack.AWS, own, function)
	if err != nil || len(again.Changes) > 0 || again.ServeURL != made.ServeURL {
		t.Errorf("a second Apply changed %q, %v; URLs %s and %s", again.Changes, err, made.ServeURL, again.ServeURL)
	}
	address, err := url.Parse(made.ServeURL)
	if err != nil || address.Host == "" {
		t.Fatalf("URL %q: %v", made.ServeURL, err)
	}
	ask := func(method, path, body string) (int, string) {
		t.Helper()
		// The name in the URL is for a public name server; the emulator goes by it all the same.
		r, err := http.NewRequestWithContext(t.Context(), method, *stack.AWS.BaseEndpoint+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = address.Host
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		data, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(data)
	}
	for _, test := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/health", "", 200, "m900000000000002"},
		{"GET", "/customers/101/recommendations", "", 200, `"source":"customer"`},
		{"POST", "/recommendations", `{"session_id":"s","browse_history":[{"product_code":"L2_03"}]}`, 200,
			`"source":"session"`},
		{"GET", "/products/L2_03/similar?limit=51", "", 400, "limit"},
	} {
		if status, body := ask(test.method, test.path, test.body); status != test.status ||
			!strings.Contains(body, test.says) {
			t.Errorf("%s %s: %d %s", test.method, test.path, status, body)
		}
	}
}

// mustServe starts serve on a free port, until the test ends, and returns its address.
func mustServe(t *testing.T, dsn string, env ...string) string {
	t.Helper()
	cmd, base := mustStartServe(t, dsn, env...)
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Errorf("interrupt serve: %v", err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("serve ended: %v", err)
		}
	})
	return base
}

// mustStartServe starts serve on a free port, and returns its process, which the caller ends, and its
// address. A process that does not end is killed.
func mustStartServe(t *testing.T, dsn string, env ...string) (cmd *exec.Cmd, base string) {
	t.Helper()
	ctx, kill := context.WithCancel(context.Background())
	cmd = exec.CommandContext(ctx, mustProgram(t, "serve"), "--listen", "127.0.0.1:0")
	cmd.Env = append(append(os.Environ(), "PGVECTOR_DSN="+dsn), env...)
	cmd.WaitDelay = cleanupTime
	log, logged := io.Pipe()
	cmd.Stderr = logged
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	var line struct{ Address string }
	for line.Address == "" && lines.Scan() { // it says first what it works on
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			line.Address = ""
		}
	}
	rest := make(chan struct{})
	go func() {
		defer close(rest)
		for lines.Scan() {
			t.Logf("serve: %s", lines.Text())
		}
	}()
	t.Cleanup(func() { // after the caller's own
		late := time.AfterFunc(cleanupTime, kill)
		_ = cmd.Wait() // a second time it says so; the first time was the caller's
		late.Stop()
		kill()
		_ = logged.Close()
		<-rest
	})
	if line.Address == "" {
		t.Fatal("serve does not say where it listens")
	}
	return cmd, "http://" + line.Address
}
