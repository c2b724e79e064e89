package stack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// markerName is the file by which a state folder is known. `reset` deletes nothing where it is not.
const markerName = "kindred-state"

const markerText = "This folder is the state of a local stack of kindred. `make local-reset` deletes the stack's " +
	"data in it.\n"

func (f folder) marker() string { return filepath.Join(f.state, markerName) }

// Claim makes the state folder the stack's own: it puts the marker into a new or empty folder, into
// the .kindred of the repository or release, and into a folder that an earlier version of kindred made. Any
// other folder is refused, because what is in it is not kindred's.
func (s *Stack) Claim() error {
	f := s.folder
	if isFile(f.marker()) {
		return nil
	}
	entries, err := os.ReadDir(f.state)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: look into the state folder: %w", ErrConfig, err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if len(names) > 0 && f.state != filepath.Join(s.config.home, ".kindred") && !f.earlier(names) {
		return fmt.Errorf("%w: %s holds files that kindred did not make: name a new or empty folder with KINDRED_STATE",
			ErrConfig, f.state)
	}
	if err := makeFolder(f.state); err != nil {
		return err
	}
	return os.WriteFile(f.marker(), []byte(markerText), 0o644)
}

// earlier recognises a folder of a version of kindred that knew no marker: by its passwords and
// process records, or, after its `reset`, by its lock and nothing that is not kindred's.
func (f folder) earlier(names []string) bool {
	if slices.Contains(names, "run") {
		if _, err := f.readSecrets(); err == nil {
			return true
		}
	}
	left := []string{"lock", "bin", "opt", "cache", "bench", "test", "terraform", "demo-report.json"}
	return slices.Contains(names, "lock") &&
		!slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(left, name) })
}

// owned is an error unless the folder has the marker.
func (f folder) owned() error {
	if isFile(f.marker()) {
		return nil
	}
	return fmt.Errorf("%w: %s has no file %s, so kindred deletes nothing there. If it is the state of an earlier "+
		"version, `make local-up` takes it over", ErrConfig, f.state, markerName)
}

// deleteData deletes what the stack made when it ran, and the folders that are empty then.
func (f folder) deleteData(parts []string) error {
	var made []string
	for _, part := range parts {
		made = append(made, f.data(part), f.data(part)+".partial", f.log(part), f.run(part+".json"),
			f.run(part+".json.partial"))
	}
	made = append(made, f.run("mysql-accounts.sql"), f.run("mysql-tmp"), f.run("postgres-password"), f.env(), f.secrets(),
		f.mode(), f.composeEnv())
	for _, path := range made {
		if err := errors.Join(os.RemoveAll(path), os.RemoveAll(path+".partial")); err != nil {
			return fmt.Errorf("delete data: %w", err)
		}
	}
	f.deleteEmpty(f.data(""), filepath.Join(f.state, "log"), f.run(""))
	return nil
}

// deletePrograms deletes everything else that kindred and its Makefile make in the state folder,
// and the folder itself when nothing else is in it.
func (f folder) deletePrograms() error {
	for _, name := range []string{"bin", "opt", "cache", "bench", "test", "terraform", "demo-report.json", "lock",
		markerName} {
		if err := os.RemoveAll(filepath.Join(f.state, name)); err != nil {
			return fmt.Errorf("delete programs: %w", err)
		}
	}
	f.deleteEmpty(f.state)
	return nil
}

// deleteEmpty deletes folders that are empty; others stay, and so does a link to a folder, which an installed
// release has for its state.
func (folder) deleteEmpty(dirs ...string) {
	for _, dir := range dirs {
		_ = unix.Rmdir(dir) // fails if the folder has files, which are not ours
	}
}
