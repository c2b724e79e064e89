package verify

import (
	"testing"

	"github.com/alecthomas/kong"
)

// The flag had another name once.
func TestTheOldNameOfScratchDirWorks(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--scratch", "--scratch-dir"} {
		var c Command
		parser, err := kong.New(&c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse([]string{flag, "folder"}); err != nil || c.ScratchDir != "folder" {
			t.Errorf("%s: folder %q, error %v", flag, c.ScratchDir, err)
		}
	}
}
