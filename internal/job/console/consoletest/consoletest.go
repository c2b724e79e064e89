// Package consoletest starts the console as a program, for tests that look at it from outside.
package consoletest

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"testing"
)

// MustStart starts the program on a free port, and returns its process and the address that it prints, with the token.
// It ends with the test.
func MustStart(t *testing.T, program string, args ...string) (address *url.URL, process *os.Process) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, append(args, "--json", "--listen", "127.0.0.1:0")...)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Wait() }) // the context has killed it
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the console printed nothing: %v", err)
	}
	var printed struct {
		Result struct{ Address string }
	}
	if err := json.Unmarshal([]byte(line), &printed); err != nil {
		t.Fatal(err)
	}
	if address, err = url.Parse(printed.Result.Address); err != nil {
		t.Fatal(err)
	}
	return address, command.Process
}
