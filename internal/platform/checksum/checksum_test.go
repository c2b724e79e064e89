package checksum_test

import (
	"os"
	"path/filepath"
	"testing"

	"kindred/internal/platform/checksum"
)

func TestFileAndBytesAgree(t *testing.T) {
	t.Parallel()
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-2, B.1
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	sum, size, err := checksum.File(name)
	if sum != abc || size != 3 || err != nil || checksum.Bytes([]byte("abc")) != abc {
		t.Errorf("%s of %d bytes, %v; %s", sum, size, err, checksum.Bytes([]byte("abc")))
	}
	if _, _, err := checksum.File(name + ".gone"); err == nil {
		t.Error("no error of a file that is not there")
	}
}
