package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kindred/internal/serving/recommend/recommendtest"
)

// shownAddress is where the documents ask serve.
const shownAddress = "127.0.0.1:8080"

// blocks are the code blocks of a page, with their languages.
var blocks = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// TestTheRequestsInTheDocuments runs every block of README.md and docs/your-shop.md that asks serve with curl, line by
// line, and wants an answer of success. PRODUCT is a product's id, as the README says.
func TestTheRequestsInTheDocuments(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("NOT TESTED: the requests in the documents, because there is no %s on the PATH", program)
		}
	}
	stack := mustStack(t)
	dsn := stack.mustVectorDatabase(t)
	mustGoLive(t, mustVectorStore(t, dsn), recommendtest.Version("m900000000000010"))
	open := mustServe(t, dsn)
	const key = "sk_of-the-documents-test"
	digest := sha256.Sum256([]byte(key))
	keyed := mustServe(t, dsn, "AWS_ENDPOINT_URL="+*stack.AWS.BaseEndpoint, "AWS_REGION="+stack.AWS.Region,
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "ACTIVITY_STREAM="+mustOwnStream(t, stack),
		`SITE_KEYS={"keys":[{"secret_sha256":"`+hex.EncodeToString(digest[:])+`"}]}`)
	for page, want := range map[string]int{"README.md": 2, "docs/your-shop.md": 2} {
		text, err := os.ReadFile(filepath.Join("..", page))
		if err != nil {
			t.Fatal(err)
		}
		folder, asked := t.TempDir(), 0
		for _, block := range blocks.FindAllStringSubmatch(string(text), -1) {
			language, text := block[1], block[2]
			if language != "" && language != "sh" || !strings.Contains(text, "curl") || !strings.Contains(text, shownAddress) {
				continue
			}
			for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
				address := open
				if strings.Contains(line, "$KEY") {
					address = keyed
				}
				switch {
				case strings.HasPrefix(line, "make "): // starts serve, or sends the click over Kinesis
					continue
				case strings.HasPrefix(line, "curl "):
					asked++
				}
				line = strings.NewReplacer(shownAddress, address, "PRODUCT", "L2_03", "curl ", "curl -sS --fail-with-body ").
					Replace(line)
				run := exec.CommandContext(t.Context(), "bash", "-euc", line)
				run.Dir, run.Env = folder, append(os.Environ(), "KEY="+key)
				if out, err := run.CombinedOutput(); err != nil {
					t.Errorf("%s: %s: %v\n%s", page, line, err, out)
				}
			}
		}
		if asked < want {
			t.Errorf("%s: found %d requests, want %d at least", page, asked, want)
		}
	}
}
