package stack

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// unprivilegedUser is who the databases run as when root starts the stack: PostgreSQL refuses root.
// Zero and false for everybody else.
func unprivilegedUser() (uid, gid int, drop bool, err error) {
	if os.Geteuid() != 0 {
		return 0, 0, false, nil
	}
	u, err := user.Lookup("nobody") // has a passwd entry on every system; initdb needs one
	if err != nil {
		return 0, 0, false, fmt.Errorf("%w: the databases cannot run as root and there is no user nobody: "+
			"run this as an ordinary user", ErrConfig)
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	if uidErr != nil || gidErr != nil || uid == 0 {
		return 0, 0, false, fmt.Errorf("%w: user nobody has no usable number", ErrConfig)
	}
	return uid, gid, true, nil
}

// startUnprivileged starts the command as the unprivileged user, if there is one, with the right to
// pass the folders above ours where those are closed to others, as /root is.
func startUnprivileged(cmd *exec.Cmd, f folder) error {
	uid, gid, drop, err := unprivilegedUser()
	if err != nil {
		return err
	}
	if !drop {
		return cmd.Start()
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	closed := cmp.Or(closedFolder(f.state), closedFolder(f.runtimes))
	if closed == "" {
		return cmd.Start()
	}
	if err := startWithPassage(cmd); err != nil {
		return fmt.Errorf("%w: the databases run as user nobody, who may not enter %s: put the state elsewhere with KINDRED_STATE=<folder> (%w)",
			ErrConfig, closed, err)
	}
	return nil
}

// closedFolder is the nearest folder at or above dir that others may not pass, or "".
func closedFolder(dir string) string {
	for {
		if info, err := os.Stat(dir); err == nil && info.Mode()&0o001 == 0 {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// giveAway makes the unprivileged user the owner, if there is one.
func giveAway(path string) error {
	uid, gid, drop, err := unprivilegedUser()
	if err != nil || !drop {
		return err
	}
	if err := os.Lchown(path, uid, gid); err != nil {
		return fmt.Errorf("give folder to the database: %w", err)
	}
	return nil
}
