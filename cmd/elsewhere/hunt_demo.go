package main

import (
	"context"
	"io"
	"io/fs"
	"strings"

	"github.com/elsewhere-project/elsewhere/client/m365"
	"github.com/elsewhere-project/elsewhere/client/m365/draft"
	"github.com/elsewhere-project/elsewhere/testdata"
)

// huntEmbedded makes a case of audit logs that are part of the program, and
// submits it.
func (a *app) huntEmbedded(ctx context.Context, folder, ref string) error {
	tenant, id, _ := strings.Cut(ref, "/")
	if err := a.tell("\n$ elsewhere hunt " + testdataFolder + folder + " --tenant " + tenant + " --case " + id + " --submit\n"); err != nil {
		return err
	}
	h := huntRun{app: a, header: draft.Header{Tenant: tenant, Case: id}, submit: true, open: embeddedSources}
	return h.run(ctx, []string{folder})
}

// embeddedSources finds the sources of a folder that is part of the program.
func embeddedSources(folders []string) ([]m365.Source, error) {
	var sources []m365.Source
	for _, folder := range folders {
		err := fs.WalkDir(testdata.Logs, folder, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			sources = append(sources, m365.Source{
				Name: testdataFolder + name, Size: info.Size(),
				Open: func() (io.ReadCloser, error) { return testdata.Logs.Open(name) },
			})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return sources, nil
}
