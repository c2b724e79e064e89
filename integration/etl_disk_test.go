package integration

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestFullDiskLeavesTheOldSetAndIsOneSentence(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	oldShop, _ := stack.mustShop(t, etlShop)
	big, _ := stack.mustShop(t, etlShop, "INSERT INTO ratings "+ // 300 kB of Parquet
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) SELECT 100000 + a.i * 400 + b.i, "+
		"'S10_1678', 1 + (a.i * b.i) % 5, "+
		"FROM_UNIXTIME(1500000000 + a.i * b.i * 7919 % 100000000) FROM n a JOIN n b",
		"INSERT INTO customers SELECT customerNumber, 'x', 'y', NULL, NULL, 'z', NULL, NULL FROM ratings WHERE "+
			"customerNumber > 100000")
	all := stack.mustLake(t)
	tests := []struct {
		name, shell, want string
		possible          func() error
	}{
		{"a file that may not grow", `ulimit -f 64; exec "$0" --scratch-dir "$1"`, "file too large",
			func() error { return nil }},
		{"a file system that is full", `mount -t tmpfs -o size=64k tmpfs "$1" && exec "$0" --scratch-dir "$1"`,
			"no space left on device", func() error {
				return exec.Command("unshare", "-rm", "sh", "-c", "mount -t tmpfs tmpfs /tmp").Run()
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if err := test.possible(); err != nil {
				t.Skipf("NOT TESTED: a full disk, because this machine lets nobody mount a small file system: %v", err)
			}
			l := all.another()
			l.mustEtl(t, oldShop)
			before, keys := l.current(t), objects(t, l.store)
			scratch := t.TempDir()
			command := []string{"bash", "-c", test.shell, mustProgram(t, "etl"), scratch}
			if strings.Contains(test.shell, "mount") {
				command = append([]string{"unshare", "-rm"}, command...)
			}
			a := run(t, l.env(big, ""), command[0], command[1:]...)
			a.wantSentence(t, 1, test.want)
			l.wantWhole(t, before)
			if len(objects(t, l.store)) != len(keys) {
				t.Error("the failed run wrote to S3")
			}
			if left, _ := filepath.Glob(filepath.Join(scratch, "*")); len(left) != 0 {
				t.Errorf("left in the scratch folder: %q", left)
			}
		})
	}
}
