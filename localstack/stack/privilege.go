package stack

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is who a command runs as. The zero account is the caller's.
type account struct {
	uid, gid uint32
	drop     bool // it is another one than the caller's
}

// databaseAccount is who the databases run as when root starts the stack: PostgreSQL refuses root.
func (s *Stack) databaseAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	u, err := user.Lookup("nobody") // has a passwd entry on every system; initdb needs one
	if err != nil {
		return account{}, fmt.Errorf("%w: the databases cannot run as root and there is no user nobody: "+
			"run this as an ordinary user", ErrConfig)
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	if uidErr != nil || gidErr != nil || uid == 0 {
		return account{}, fmt.Errorf("%w: user nobody has no usable number", ErrConfig)
	}
	return account{uint32(uid), uint32(gid), true}, nil
}

// The range of user numbers that systemd gives to services without a user of their own. See
// https://systemd.io/UIDS-GIDS/.
const (
	firstDynamicUser = 61184
	dynamicUsers     = 65519 - 61184 + 1
)

// emulatorAccount is who LocalStack and its functions run as when root starts the stack: a number
// that no user of this machine has, another one for each state folder, so that nobody else can be
// mistaken for a function.
func (s *Stack) emulatorAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(s.folder.state)) // never fails
	for i := range uint32(dynamicUsers) {
		uid := firstDynamicUser + (hash.Sum32()+i)%dynamicUsers
		var unknown user.UnknownUserIdError
		if _, err := user.LookupId(strconv.Itoa(int(uid))); errors.As(err, &unknown) {
			return account{uid, uid, true}, nil
		}
	}
	return account{}, fmt.Errorf("%w: LocalStack does not run as root, and the user numbers from %d are all taken: "+
		"run this as an ordinary user", ErrConfig, firstDynamicUser)
}

// startAs starts the command as the account. Where a folder that the command needs is closed to
// others, as /root is, the command gets the right to pass it.
func startAs(cmd *exec.Cmd, a account, needs ...string) error {
	if !a.drop {
		return cmd.Start()
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	closed := ""
	for _, dir := range needs {
		closed = cmp.Or(closed, closedFolder(dir))
	}
	if closed == "" {
		return cmd.Start()
	}
	if err := startWithPassage(cmd); err != nil {
		return fmt.Errorf("%w: it does not run as root, and its user may not enter %s: put the state elsewhere with "+
			"KINDRED_STATE=<folder> (%w)",
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

// giveAway makes the account the owner of a file or folder.
func giveAway(path string, a account) error {
	if !a.drop {
		return nil
	}
	if err := os.Lchown(path, int(a.uid), int(a.gid)); err != nil {
		return fmt.Errorf("give %s to the server's user: %w", filepath.Base(path), err)
	}
	return nil
}
