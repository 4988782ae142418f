package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// writeWhole writes a file that is whole or not there: what stood under the name
// stays until all is written.
func writeWhole(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		// People know the name that they gave, not the one that stands in for it.
		if at, ok := errors.AsType[*os.PathError](err); ok {
			at.Path = name
		}
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
