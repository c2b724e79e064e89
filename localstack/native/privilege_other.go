//go:build !linux

package native

import "syscall"

// allowPassage: only Linux can give a single right.
func allowPassage(*syscall.SysProcAttr) bool { return false }
