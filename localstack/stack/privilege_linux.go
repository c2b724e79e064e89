package stack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// startWithPassage starts the command so that it may enter closed folders though it is not root: by
// a capability that only searches and reads, or, in containers that lack it, by the one that
// ignores permissions. The secure bit keeps access(2), by which programs look for their own files,
// from forgetting the capability; it is inherited from the thread that forks. At exec the command
// keeps this one capability and loses all others of root.
func startWithPassage(cmd *exec.Cmd) error {
	const noSetuidFixup = 1 << 2 // SECBIT_NO_SETUID_FIXUP of linux/securebits.h
	have := permittedCapabilities()
	for _, capability := range []uintptr{unix.CAP_DAC_READ_SEARCH, unix.CAP_DAC_OVERRIDE} {
		if have&(1<<capability) == 0 {
			continue
		}
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		before, err := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0)
		if err != nil {
			return fmt.Errorf("read secure bits: %w", err)
		}
		if err := unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(before)|noSetuidFixup, 0, 0, 0); err != nil {
			return fmt.Errorf("set secure bits: %w", err)
		}
		cmd.SysProcAttr.AmbientCaps = []uintptr{capability}
		err = cmd.Start()
		return errors.Join(err, unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(before), 0, 0, 0))
	}
	return errors.New("this process may not pass on that right")
}

func permittedCapabilities() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if mask, ok := strings.CutPrefix(line, "CapPrm:"); ok {
			set, _ := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			return set
		}
	}
	return 0
}
