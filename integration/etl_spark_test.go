package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"kindred/internal/job/etl"
	"kindred/internal/lab/shopsystem"
	"kindred/internal/shop/preset"
)

// sparkVersion is Spark's in AWS Glue 5.0.
const sparkVersion = "3.5.4"

// mustSpark returns the folder of pyspark and py4j (340 MB). Without Java or Python the test is
// skipped, and `make test` says so in capitals.
func mustSpark(t *testing.T) string {
	t.Helper()
	if err := exec.Command("java", "-version").Run(); err != nil {
		t.Skip("NOT TESTED: the Spark launcher needs java, which is not here")
	}
	return mustPython(t, "pyspark-"+sparkVersion, "--require-hashes", "--no-deps", "-r",
		filepath.Join("..", "jobs", "etl", "glue", "requirements.txt"))
}

// launch is the launcher's command line in local mode, two tasks at once, each tried up to four
// times as on Glue. program stands for etl.
func (l lake) launch(t *testing.T, dsn, program, job string, partitions int) *exec.Cmd {
	t.Helper()
	home, folder := mustSpark(t), t.TempDir()
	cmd := exec.CommandContext(t.Context(), filepath.Join(home, "pyspark", "bin", "spark-submit"), "--master",
		"local[2,4]", "--driver-memory", "512m",
		"--driver-java-options", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC", // a short life
		"--conf", "spark.ui.enabled=false", "--conf", "spark.driver.bindAddress=127.0.0.1", "--conf",
		"spark.driver.host=127.0.0.1",
		"--conf", "spark.local.dir="+folder, filepath.Join("..", "jobs", "etl", "glue", "launcher.py"),
		"--etl", program, "--job", job, "--partitions", fmt.Sprint(partitions), "--JOB_NAME", "what Glue adds")
	cmd.Env = append(l.env(dsn, ""), "SPARK_HOME="+filepath.Join(home, "pyspark"), "PYTHONPATH="+home,
		"PYSPARK_PYTHON=python3", "SPARK_LOCAL_IP=127.0.0.1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that a kill reaches the JVM and the driver's Python
	return cmd
}

// script puts a shell script before etl, to fail as tasks fail. $etl is the program, $marks a
// folder, $part the partition.
func script(t *testing.T, text string) (program, marks string) {
	t.Helper()
	program, marks = filepath.Join(t.TempDir(), "etl"), t.TempDir()
	text = "#!/bin/bash\netl='" + mustProgram(t, "etl") + "'\nmarks='" + marks + "'\npart=\n" +
		"[[ \"$*\" == *'--partition '* ]] && part=$(sed 's/.*--partition \\([0-9]*\\).*/\\1/' <<<\"$*\")\n" + text +
		"\nexec \"$etl\" \"$@\"\n"
	if err := os.WriteFile(program, []byte(text), 0o600); err != nil { // not executable, as a file that comes from S3
		t.Fatal(err)
	}
	return program, marks
}

func TestSparkWritesTheRowsOfOneRunAndRepeatsFailedTasks(t *testing.T) {
	t.Parallel()
	mustSpark(t)
	stack := mustStack(t)
	shop, _ := stack.mustShop(t, etlShop, partitionShop)
	all := stack.mustLake(t)
	single, l := all.another(), all.another()
	single.mustEtl(t, shop)
	// Partition 1 dies before it begins, partition 2 when all is written and only its answer is missing.
	program, marks := script(t, `
if [ "$part" = 1 ] && mkdir "$marks/1" 2>/dev/null; then echo 'etl: the machine died' >&2; exit 1; fi
if [ "$part" = 2 ] && mkdir "$marks/2" 2>/dev/null; then "$etl" "$@" >/dev/null; kill -9 $$; fi`)
	out, err := l.launch(t, shop, program, "spark", 4).CombinedOutput()
	if err != nil {
		t.Fatalf("launcher: %v\n%s", err, out)
	}
	for _, part := range []string{"1", "2"} {
		if _, err := os.Stat(filepath.Join(marks, part)); err != nil {
			t.Errorf("partition %s did not fail: %v", part, err)
		}
	}
	var r struct {
		etl.Result
		Parts []struct {
			Rows int64 `json:"rows"`
			NoOp bool  `json:"no_op"`
		} `json:"parts"`
	}
	line := ""
	for one := range strings.Lines(string(out)) {
		if strings.HasPrefix(one, `{"program"`) {
			line = one
		}
	}
	if err := readResult(line, &r); err != nil || r.RunID != "spark" || len(r.Parts) != 4 || !r.Parts[2].NoOp {
		t.Errorf("result %q, error %v", line, err)
	}
	sum := int64(0)
	for _, part := range r.Parts {
		sum += part.Rows
	}
	if sum != 184 || r.Rows.Ratings != 184 {
		t.Errorf("%d rows in parts, %d committed, want 184", sum, r.Rows.Ratings)
	}
	if diff := cmp.Diff(rows(single.wantWhole(t)), rows(l.wantWhole(t, "spark"))); diff != "" {
		t.Errorf("rows differ from the single run's (-single +spark):\n%s", diff)
	}
}

func TestLauncherNamesTheSecretAndNeverReadsIt(t *testing.T) {
	t.Parallel()
	home := mustSpark(t)
	env := append(os.Environ(), "PYTHONPATH="+home+":"+filepath.Join("..", "jobs", "etl", "glue"),
		"PYTHONDONTWRITEBYTECODE=1")
	a := run(t, env, "python3", "-c",
		"import launcher, json; print(json.dumps(launcher.environment(launcher.arguments())))",
		"--etl", "s3://code/etl", "--partitions", "1", "--lake", "lake", "--mysql-secret", "arn:secret", "--mysql-address",
		"db:3306/shop", "--erase-secret", "arn:erase")
	var got map[string]string
	if err := json.Unmarshal([]byte(a.stdout), &got); err != nil {
		t.Fatalf("%v: %s", err, a.stderr)
	}
	cfg, err := mysql.ParseDSN(got["MYSQL_DSN"])
	if err != nil || cfg.User != "" || cfg.Passwd != "" || cfg.Addr != "db:3306" || cfg.DBName != "shop" ||
		cfg.TLSConfig != "true" {
		t.Errorf("DSN %q: %+v, error %v", got["MYSQL_DSN"], cfg, err)
	}
	if got["MYSQL_SECRET_ARN"] != "arn:secret" || got["LAKE_BUCKET"] != "lake" || got["ERASE_SECRET_ARN"] != "arn:erase" {
		t.Errorf("environment %v", got)
	}
}

func TestKilledSparkDriverLeavesTheOldSet(t *testing.T) {
	t.Parallel()
	mustSpark(t)
	stack := mustStack(t)
	shop, db := stack.mustShop(t, etlShop, partitionShop)
	l := stack.mustLake(t)
	l.mustEtl(t, shop)
	before := l.current(t)
	mustExec(t, db, change)
	// Partition 0 finishes, the others hang.
	program, marks := script(t, `
if [ "$part" = 0 ]; then "$etl" "$@" && touch "$marks/done"; exit; fi
if [ -n "$part" ]; then touch "$marks/hangs"; sleep 60; exit 1; fi`)
	cmd := l.launch(t, shop, program, "killed", 3)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exists := func(name string) func() bool {
		return func() bool { _, err := os.Stat(filepath.Join(marks, name)); return err == nil }
	}
	wait(t, "the first partition", exists("done"))
	wait(t, "the second partition", exists("hangs"))
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil { // the group that we made
		t.Fatal(err)
	}
	_ = cmd.Wait()
	l.wantWhole(t, before)
	// Nobody commits half of it, and etl says what is missing.
	l.etl(t, shop, "commit-parts", "--job", "killed").wantSentence(t, 1,
		"of 3 partitions of job killed these have not finished: 1, 2")
	l.wantWhole(t, before)
	// The same job may be finished by hand.
	for _, part := range []string{"1/3", "2/3"} {
		l.mustEtl(t, shop, "--job", "killed", "--partition", part)
	}
	l.mustEtl(t, shop, "commit-parts", "--job", "killed")
	l.wantWhole(t, "killed")
}

// TestSparkReadsAShopOfOrdersWhole gives the launcher a preset, and the same as a mapping file: both
// give the set of a single run.
func TestSparkReadsAShopOfOrdersWhole(t *testing.T) {
	t.Parallel()
	mustSpark(t)
	stack := mustStack(t)
	dsn := stack.mustDatabase(t)
	mustLoadSystem(t, mustOpen(t, dsn), shopsystem.Config{System: "opencart", Version: shopsystem.Versions("opencart")[0],
		Prefix: shopsystem.DefaultPrefix("opencart"), Seed: 3, Orders: 120})
	mapping, err := preset.Of(t.Context(), dsn, preset.Choice{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "shop.sql")
	if err := os.WriteFile(file, []byte(mapping.SQL), 0o600); err != nil {
		t.Fatal(err)
	}
	single := stack.mustLake(t)
	single.mustEtl(t, dsn, "--preset", "auto")
	want, err := single.repo.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{{"--preset", "auto", "--language", "1"}, {"--mapping", file}} {
		l := single.another()
		cmd := l.launch(t, dsn, mustProgram(t, "etl"), "whole", 2)
		cmd.Args = append(cmd.Args, flags...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("launcher %v: %v\n%s", flags, err, out)
		}
		got, err := l.repo.Current(t.Context())
		if err != nil || got.ContentHash != want.ContentHash {
			t.Errorf("launcher %v: set %s, %v, want %s", flags, got.ContentHash, err, want.ContentHash)
		}
	}
}
