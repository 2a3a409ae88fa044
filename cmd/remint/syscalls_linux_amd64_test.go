package main

import "golang.org/x/sys/unix"

// olderCalls are those that newer architectures do without. Opening the old way
// is not among them: neither Go nor the database does it.
func olderCalls() map[int32]systemCall {
	return map[int32]systemCall{
		unix.SYS_RENAME: onPath("rename", 1), unix.SYS_LINK: onPath("link", 1), unix.SYS_SYMLINK: onPath("symlink", 1),
		unix.SYS_UNLINK: onPath("unlink", 0), unix.SYS_RMDIR: onPath("unlink", 0), unix.SYS_MKDIR: onPath("mkdir", 0),
		unix.SYS_CREAT: onPath("open", 0), unix.SYS_CHMOD: onPath("chmod", 0), unix.SYS_CHOWN: onPath("chown", 0),
	}
}
