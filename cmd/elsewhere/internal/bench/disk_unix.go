//go:build unix

package bench

import (
	"io/fs"
	"syscall"
)

// onDisk returns the bytes that a file takes, without holes.
func onDisk(info fs.FileInfo) uint64 {
	const block = 512
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Blocks) * block
	}
	return uint64(info.Size())
}
