package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestSparkRegularisesAsTrainDoes checks MLlib's vectors against equations that have als.py's padding.
func TestSparkRegularisesAsTrainDoes(t *testing.T) {
	t.Parallel()
	home, numpy, folder := mustSpark(t), mustPython(t, "numpy-2.2.6", "numpy==2.2.6"), t.TempDir()
	cmd := exec.CommandContext(t.Context(), filepath.Join(home, "pyspark", "bin", "spark-submit"), "--master", "local[1]",
		"--driver-memory", "768m", "--driver-java-options", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC", // a short life
		"--conf", "spark.ui.enabled=false", "--conf", "spark.sql.shuffle.partitions=2", "--conf",
		"spark.driver.bindAddress=127.0.0.1", "--conf", "spark.driver.host=127.0.0.1", "--conf", "spark.local.dir="+folder,
		filepath.Join("testdata", "spark", "equations.py"), filepath.Join("..", "jobs", "train", "spark"))
	cmd.Env = append(os.Environ(), "SPARK_HOME="+filepath.Join(home, "pyspark"), "PYTHONPATH="+home+":"+numpy,
		"PYSPARK_PYTHON=python3", "PYTHONDONTWRITEBYTECODE=1", "SPARK_LOCAL_IP=127.0.0.1")
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("solved")) {
		t.Fatalf("equations.py: %v\n%s", err, out[max(0, len(out)-3000):])
	}
}
