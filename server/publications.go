package server

import (
	"context"
	"io"
	"log/slog"

	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/git"
	"github.com/elsewhere-project/elsewhere/server/export/intake"
	"github.com/elsewhere-project/elsewhere/server/export/ledger"
	"github.com/elsewhere-project/elsewhere/server/export/publish"
	"github.com/elsewhere-project/elsewhere/server/export/sheet"
	"github.com/elsewhere-project/elsewhere/server/export/stix"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// publishTargets reads the configuration of publications.
func (c Config) publishTargets() ([]publish.Target, error) {
	if c.PublishConfig == "" {
		return nil, nil
	}
	return publish.ReadConfig(c.PublishConfig)
}

// newPublisher returns what publishes, and what knows our own in what others
// publish.
func newPublisher(targets []publish.Target, store graph.Store, bundles *export.Builder, log *slog.Logger) (*publish.Publisher, intake.Guard) {
	kept := ledger.New(store.Kept())
	return publish.New(publish.Config{
		Targets: targets, Bundles: bundles, Ledger: kept, Formats: publishedFormats(), Log: log,
	}), intake.Guard{Producer: bundles.ProducerID(), Published: kept.Knows}
}

// publishedFormats are the files of a publication in a repository.
func publishedFormats() []git.Format {
	return []git.Format{
		{Folder: "csv", Extension: ".csv", Write: func(ctx context.Context, w io.Writer, b *export.Bundle) error {
			return sheet.CSV(ctx, w, b, sheet.Options{})
		}},
		{Folder: "stix", Extension: ".json", Write: func(ctx context.Context, w io.Writer, b *export.Bundle) error {
			return stix.Write(ctx, w, b, stix.Options{Report: true})
		}},
	}
}
