//go:build !unix

package bench

import "io/fs"

// onDisk returns the length of a file, which may have holes.
func onDisk(info fs.FileInfo) uint64 { return uint64(info.Size()) }
