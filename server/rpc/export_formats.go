package rpc

import (
	"context"
	"io"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/navigator"
	"github.com/elsewhere-project/elsewhere/server/export/notice"
	"github.com/elsewhere-project/elsewhere/server/export/query"
	"github.com/elsewhere-project/elsewhere/server/export/sheet"
	"github.com/elsewhere-project/elsewhere/server/export/stix"
)

// writeBundle writes a bundle in one format.
type writeBundle func(ctx context.Context, w io.Writer, b *export.Bundle, req *elsewherev1.ExportRequest) error

// formats are the formats that there are.
var formats = map[elsewherev1.ExportFormat]writeBundle{
	elsewherev1.ExportFormat_EXPORT_FORMAT_CSV: func(ctx context.Context, w io.Writer, b *export.Bundle, req *elsewherev1.ExportRequest) error {
		return sheet.CSV(ctx, w, b, sheetOptions(req))
	},
	elsewherev1.ExportFormat_EXPORT_FORMAT_LIST: func(ctx context.Context, w io.Writer, b *export.Bundle, req *elsewherev1.ExportRequest) error {
		return sheet.List(ctx, w, b, sheetOptions(req))
	},
	elsewherev1.ExportFormat_EXPORT_FORMAT_STIX: func(ctx context.Context, w io.Writer, b *export.Bundle, _ *elsewherev1.ExportRequest) error {
		return stix.Write(ctx, w, b, stix.Options{})
	},
	elsewherev1.ExportFormat_EXPORT_FORMAT_NAVIGATOR: func(ctx context.Context, w io.Writer, b *export.Bundle, _ *elsewherev1.ExportRequest) error {
		return navigator.Write(ctx, w, b)
	},
	elsewherev1.ExportFormat_EXPORT_FORMAT_NOTICE: func(ctx context.Context, w io.Writer, b *export.Bundle, req *elsewherev1.ExportRequest) error {
		return notice.Write(ctx, w, b, req.GetDefang())
	},
	elsewherev1.ExportFormat_EXPORT_FORMAT_KQL_SENTINEL: queries(query.Sentinel),
	elsewherev1.ExportFormat_EXPORT_FORMAT_KQL_DEFENDER: queries(query.Defender),
	elsewherev1.ExportFormat_EXPORT_FORMAT_SQL:          queries(query.SQL),
}

func sheetOptions(req *elsewherev1.ExportRequest) sheet.Options {
	return sheet.Options{Defang: req.GetDefang(), ShortHeader: req.GetShortHeader(), Kinds: req.GetKinds()}
}

func queries(l query.Language) writeBundle {
	return func(ctx context.Context, w io.Writer, b *export.Bundle, _ *elsewherev1.ExportRequest) error {
		return query.Write(ctx, w, b, l)
	}
}

// formatOf returns how a format is written, before anything is gathered.
func formatOf(req *elsewherev1.ExportRequest) (writeBundle, error) {
	if write, ok := formats[req.GetFormat()]; ok {
		return write, nil
	}
	return nil, violation("format", "UNKNOWN", "this server writes no such format")
}
