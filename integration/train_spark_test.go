package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"kindred/internal/job/train"
	"kindred/internal/lab/simulation"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
)

var (
	sparkFiles  = flag.String("spark-files", "", "files of ratings to train on with Spark, instead of a generated shop")
	sparkTrials = flag.Int("spark-trials", 2, "configurations that MLlib tries, at most as many as the own solver; 0: "+
		"as many")
	sparkPasses = flag.Int("spark-iterations", 6, "passes of MLlib's fits; the own solver's are 16")
	sparkBudget = flag.Float64("spark-tune-budget", 0.02, "tuning budget of the own solver")
	sparkRank   = flag.Int("spark-rank", 16, "dimension of both")
)

// mllib runs jobs/train/spark/als.py on two executors of one processor each.
type mllib struct {
	home, numpy, program string
	lake                 objectstore.Store
	trials               int
}

// command is als.py's command line.
func (m mllib) command(t *testing.T, artifacts objectstore.Store) *exec.Cmd {
	t.Helper()
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), filepath.Join(m.home, "pyspark", "bin", "spark-submit"),
		"--master", "local-cluster[2,1,1024]", "--driver-memory", "768m",
		"--driver-java-options", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC", // a short life
		"--conf", "spark.executor.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
		"--conf", "spark.executor.memory=1024m", "--conf", "spark.sql.shuffle.partitions=2", "--conf",
		"spark.ui.enabled=false",
		"--conf", "spark.driver.bindAddress=127.0.0.1", "--conf", "spark.driver.host=127.0.0.1", "--conf",
		"spark.local.dir="+folder,
		filepath.Join("..", "jobs", "train", "spark", "als.py"), "--train", m.program, "--lake", m.lake.String(),
		"--artifacts", artifacts.String(), "--rank", fmt.Sprint(*sparkRank), "--trials", fmt.Sprint(m.trials),
		"--iterations", fmt.Sprint(*sparkPasses), "--train-flags", "--tune-budget "+fmt.Sprint(*sparkBudget)+
			" --scratch-dir "+folder, "--JOB_NAME", "what Glue adds")
	cmd.Env = append(os.Environ(), "SPARK_HOME="+filepath.Join(m.home, "pyspark"), "PYTHONPATH="+m.home+":"+m.numpy,
		"PYSPARK_PYTHON=python3", "SPARK_LOCAL_IP=127.0.0.1", "SPARK_SCALA_VERSION=2.12", "SPARK_WORKER_DIR="+folder)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a group, which the executors are in
	return cmd
}

// mustRun runs it, and returns what train import, or train export, said last, with Spark's log. watch sees
// every line that als.py prints.
func (m mllib) mustRun(t *testing.T, artifacts objectstore.Store, watch func(group int, line string)) (r struct {
	NoOp   bool `json:"no_op"`
	Result train.Result
}, log string) {
	t.Helper()
	cmd := m.command(t, artifacts)
	var spark bytes.Buffer
	cmd.Stderr = &spark
	out, err := cmd.StdoutPipe() // spark-submit puts both outputs of als.py there
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }() // the group that we made
	var all bytes.Buffer
	result := ""
	for lines := bufio.NewReader(io.TeeReader(out, &all)); err == nil; {
		var line string
		line, err = lines.ReadString('\n')
		if strings.HasPrefix(line, "als: ") {
			t.Log(strings.TrimSpace(line))
		}
		if strings.HasPrefix(line, `{"program"`) {
			result = line
		}
		watch(cmd.Process.Pid, line)
	}
	if err := errors.Join(cmd.Wait(), json.Unmarshal([]byte(result), &r)); err != nil {
		t.Fatalf("als.py: %v\n%s\n%s", err, &all, spark.Bytes()[max(0, spark.Len()-10_000):])
	}
	return r, spark.String()
}

// executors are the processes of a group that run Spark's tasks, with the time that each has worked, in ticks.
func executors(t *testing.T, group int) map[int]int {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]int{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(text, []byte("CoarseGrainedExecutorBackend")) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		stat, err := os.ReadFile(filepath.Join(filepath.Dir(name), "stat"))
		if own, groupErr := syscall.Getpgid(pid); err != nil || groupErr != nil || own != group {
			continue
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		ticks, _ := strconv.Atoi(fields[11]) // utime: the 14th field
		found[pid] = ticks
	}
	return found
}

// TestSparkTrainsAVersion trains with MLlib on two executors: the version passes the gate, is as good as the
// own solver's with as many components, is not made twice, and is the same whole one after an
// executor was killed.
func TestSparkTrainsAVersion(t *testing.T) {
	t.Parallel()
	m := mllib{home: mustSpark(t), numpy: mustPython(t, "numpy-2.2.6", "numpy==2.2.6"), program: mustProgram(t, "train")}
	m.lake = m.mustLake(t)
	folder := func() objectstore.Store { return objectstore.NewFolder(t.TempDir()) }
	var own train.Result
	programs{folder: filepath.Dir(m.program), env: os.Environ()}.mustRun(t, &own, "train", "--lake", m.lake.String(),
		"--artifacts", folder().String(), "--dim", fmt.Sprint(*sparkRank), "--tune-budget", fmt.Sprint(*sparkBudget),
		"--lukewarm", "none") // MLlib learns from likes alone
	if m.trials = len(own.Config.Tried); *sparkTrials > 0 {
		m.trials = min(m.trials, *sparkTrials)
	}
	calm := folder()
	first, _ := m.mustRun(t, calm, func(int, string) {})
	figures := func(r train.Result) float64 { return r.Report.Own().NDCG10 }
	t.Logf("NDCG@10: own solver %.4f, MLlib %.4f (%s); the own solver tried %d", figures(own), figures(first.Result),
		first.Result.Config.Import.Name, len(own.Config.Tried))
	if first.NoOp || first.Result.Refused != nil || first.Result.Report.Verdict.Decision() != modelversion.OutcomePassed ||
		figures(first.Result) < 0.97*figures(own) {
		t.Errorf("MLlib's version: %+v", first)
	}
	if again, _ := m.mustRun(t, calm, func(_ int, line string) {
		if strings.HasPrefix(line, "als: ") {
			t.Errorf("a second run fits: %s", line)
		}
	}); !again.NoOp || again.Result.ModelVersion != first.Result.ModelVersion {
		t.Errorf("a second run: %+v", again)
	}

	shaken, killed := folder(), false
	after, log := m.mustRun(t, shaken, func(group int, line string) {
		if killed || !strings.HasPrefix(line, "als: fit new-products") {
			return
		}
		killed = true
		before := executors(t, group)
		wait(t, "an executor at work", func() bool {
			const tenth = 10 // ticks
			for pid, ticks := range executors(t, group) {
				if was, known := before[pid]; known && ticks >= was+tenth {
					return syscall.Kill(pid, syscall.SIGKILL) == nil
				}
			}
			return false
		})
	})
	if !killed || !strings.Contains(log, "Lost executor") {
		t.Errorf("an executor was killed: %t; Spark's log:\n%s", killed, log)
	}
	if a, b := figures(after.Result), figures(first.Result); after.Result.ModelVersion != first.Result.ModelVersion ||
		a < 0.99*b || a > 1.01*b {
		t.Errorf("after a killed executor NDCG@10 is %.4f, undisturbed %.4f", a, b)
	}
	versions := 0
	for name := range objects(t, shaken) {
		if strings.HasPrefix(name, envconfig.ModelPrefix+"/") && strings.HasSuffix(name, "/manifest.json") {
			versions++
		}
	}
	if versions != 1 {
		t.Errorf("%d versions were committed", versions)
	}
}

// mustLake has the training set: of a generated shop, or of -spark-files.
func (m mllib) mustLake(t *testing.T) objectstore.Store {
	t.Helper()
	lake := objectstore.NewFolder(t.TempDir())
	if *sparkFiles == "" {
		mustTrainingSet(t, lake, simulation.DefaultConfig(0.3))
		return lake
	}
	stack := mustStack(t)
	_, env := mustPlaces(t, stack, stack.mustDatabase(t))
	env["LAKE_BUCKET"] = lake.String()
	p := mustPrograms(t, env)
	p.mustRun(t, nil, "seed", "import", *sparkFiles)
	p.mustRun(t, nil, "etl")
	return lake
}
