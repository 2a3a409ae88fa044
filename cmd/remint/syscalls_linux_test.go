package main

import "golang.org/x/sys/unix"

// systemCall is one that changes a file or a folder, speaks to somebody else, or
// starts a program.
type systemCall struct {
	name string
	// Which argument is the descriptor, and which the path and the descriptor of
	// the folder where it starts; -1 for none.
	fd, folder, path int
}

func onFile(name string, fd int) systemCall       { return systemCall{name, fd, -1, -1} }
func onPath(name string, path int) systemCall     { return systemCall{name, -1, -1, path} }
func inFolder(name string, folder int) systemCall { return systemCall{name, -1, folder, folder + 1} }
func (c systemCall) writes() bool                 { return c.name == "write" || c.name == "pwrite" }
func (c systemCall) makes() bool {
	return c.name == "open" || c.name == "mkdir" || c.name == "link" || c.name == "symlink" || c.name == "rename" || c.name == "fallocate"
}

// systemCalls are all that are known. One whose number is not the same everywhere
// is in olderCalls.
func systemCalls() map[int32]systemCall {
	calls := olderCalls()
	for number, c := range map[int32]systemCall{
		unix.SYS_WRITE: onFile("write", 0), unix.SYS_WRITEV: onFile("write", 0), unix.SYS_SENDTO: onFile("write", 0), unix.SYS_SENDFILE: onFile("write", 0),
		unix.SYS_COPY_FILE_RANGE: onFile("write", 2), unix.SYS_SENDMSG: onFile("write", 0), unix.SYS_SENDMMSG: onFile("write", 0),
		unix.SYS_PWRITE64: onFile("pwrite", 0), unix.SYS_PWRITEV: onFile("pwrite", 0), unix.SYS_PWRITEV2: onFile("pwrite", 0),
		unix.SYS_FSYNC: onFile("fsync", 0), unix.SYS_FDATASYNC: onFile("fsync", 0), unix.SYS_SYNC_FILE_RANGE: onFile("fsync", 0),
		unix.SYS_FTRUNCATE: onFile("truncate", 0), unix.SYS_TRUNCATE: onPath("truncate", 0), unix.SYS_FALLOCATE: onFile("fallocate", 0),
		unix.SYS_FCHMOD: onFile("chmod", 0), unix.SYS_FCHOWN: onFile("chown", 0),
		unix.SYS_FCHMODAT: inFolder("chmod", 0), unix.SYS_FCHMODAT2: inFolder("chmod", 0), unix.SYS_FCHOWNAT: inFolder("chown", 0),
		unix.SYS_OPENAT: inFolder("open", 0), unix.SYS_OPENAT2: inFolder("open", 0), unix.SYS_MKDIRAT: inFolder("mkdir", 0), unix.SYS_MKNODAT: inFolder("mknod", 0),
		unix.SYS_UNLINKAT: inFolder("unlink", 0), unix.SYS_SYMLINKAT: inFolder("symlink", 1),
		unix.SYS_RENAMEAT: inFolder("rename", 2), unix.SYS_RENAMEAT2: inFolder("rename", 2), unix.SYS_LINKAT: inFolder("link", 2),
		unix.SYS_CONNECT: onFile("connect", 0), unix.SYS_EXECVE: onPath("execve", 0), unix.SYS_EXECVEAT: inFolder("execve", 0),
	} {
		calls[number] = c
	}
	return calls
}
