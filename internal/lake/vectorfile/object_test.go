package vectorfile

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"kindred/internal/lake/objectstore"
)

// TestObjectsAreReadAsFiles: an object, the parts of a folder and an object of ids give the vectors of
// the files they are copies of. Errors name the objects.
func TestObjectsAreReadAsFiles(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	for key, content := range map[string]string{
		"in/one.csv":          "a,\"[1, 2]\"\n",
		"in/parts/1.csv":      "b,\"[3, 4]\"\n",
		"in/parts/0.csv":      "a,\"[1, 2]\"\n",
		"in/parts/_SUCCESS":   "",
		"in/parts/more/2.csv": "c,\"[5, 6]\"\n",
		"in/bad/1.csv":        "a,\"[1, 2]\"\nb,\"[1]\"\n",
		"in/none/file.txt":    "a",
		"in/x.npy":            string(npy("<f4", "(1, 2)", false, make([]byte, 8))),
		"in/ids":              "a\n",
	} {
		if _, err := store.Put(t.Context(), key, bytes.NewReader([]byte(content)), int64(len(content)),
			objectstore.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	for key, want := range map[string]struct {
		ids   []string
		fault string
		kind  error
	}{
		"in/one.csv":  {ids: []string{"a"}},
		"in/parts":    {ids: []string{"a", "b"}},
		"in/x.npy":    {ids: []string{"a"}},
		"in/bad":      {fault: "s3://shop/in/bad/1.csv, line 2", kind: ErrVectors},
		"in/none":     {fault: "the folder s3://shop/in/none has no object that ends in", kind: ErrVectors},
		"in/one":      {fault: "s3://shop/in/one is neither an object nor a folder with objects", kind: os.ErrNotExist},
		"in/none/txt": {fault: "s3://shop/in/none/txt", kind: os.ErrNotExist},
	} {
		c := copies{dir: t.TempDir(), files: map[string]string{}}
		name, ids := "s3://shop/"+key, ""
		parts, err := c.objects(t.Context(), store, key, name)
		if strings.HasSuffix(key, ".npy") && err == nil {
			ids = "s3://shop/in/ids"
			err = c.add(t.Context(), store, "in/ids", ids)
		}
		v := &Vectors{}
		if err == nil {
			v, err = read(name, parts, ids, c.files)
		}
		if want.fault == "" && (err != nil || !slices.Equal(v.IDs, want.ids)) {
			t.Errorf("%s: %v, %v", key, v, err)
		}
		if want.fault != "" && (!errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.fault)) {
			t.Errorf("%s: %v, want %q", key, err, want.fault)
		}
	}
	for _, name := range []string{"s3://", "s3://shop", "s3://shop/", "s3:///key", "s3://shop/a//b"} {
		if _, err := ReadFrom(t.Context(), name, "", t.TempDir()); !errors.Is(err, ErrVectors) ||
			!strings.Contains(err.Error(), "s3://bucket/key") {
			t.Errorf("%q: %v", name, err)
		}
	}
	file := mustFile(t, "a.csv", []byte("a,\"[1, 2]\"\n"))
	if v, err := ReadFrom(t.Context(), file, "", t.TempDir()); err != nil || len(v.IDs) != 1 {
		t.Errorf("a file of this machine: %v, %v", v, err)
	}
}
