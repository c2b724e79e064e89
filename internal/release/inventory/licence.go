package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"

	classifier "github.com/google/licenseclassifier/v2"
	"github.com/google/licenseclassifier/v2/assets"
)

// known is the classifier with the texts of all licences, which take 3 seconds to read.
var known = sync.OnceValues(func() (*classifier.Classifier, error) {
	c, err := assets.DefaultClassifier()
	if err != nil {
		return nil, fmt.Errorf("read the texts of the known licences: %w", err)
	}
	return c, nil
})

// recognise returns the SPDX names of the licences in a text, in its order. A short header, with which a
// file refers to a licence, counts too.
func recognise(text string) ([]string, error) {
	c, err := known()
	if err != nil {
		return nil, err
	}
	var all []string
	for _, m := range c.Match([]byte(text)).Matches {
		if m.MatchType == "License" || m.MatchType == "Header" {
			all = append(all, m.Name)
		}
	}
	return all, nil
}

// toolchain returns the release of Go that builds dir, such as 1.26.8, and its folder.
func toolchain(ctx context.Context, dir string) (release, root string, err error) {
	cmd := exec.CommandContext(ctx, "go", "env", "-json", "GOVERSION", "GOROOT")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", "", fmt.Errorf("ask Go for its release: %w", err)
	}
	var env struct{ GOVERSION, GOROOT string }
	if err := json.Unmarshal(out, &env); err != nil {
		return "", "", fmt.Errorf("ask Go for its release: %w", err)
	}
	return strings.TrimPrefix(env.GOVERSION, "go"), env.GOROOT, nil
}
