package rpc

import (
	"context"
	"io"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/sheet"
)

// writeFormat writes a bundle; false for a format that there is none of.
func writeFormat(ctx context.Context, w io.Writer, b *export.Bundle, req *elsewherev1.ExportRequest) error {
	sheets := sheet.Options{Defang: req.GetDefang(), ShortHeader: req.GetShortHeader(), Kinds: req.GetKinds()}
	switch req.GetFormat() {
	case elsewherev1.ExportFormat_EXPORT_FORMAT_CSV:
		return sheet.CSV(ctx, w, b, sheets)
	case elsewherev1.ExportFormat_EXPORT_FORMAT_LIST:
		return sheet.List(ctx, w, b, sheets)
	}
	return errNoFormat()
}

// checkFormat refuses a format that there is none of before anything is gathered.
func checkFormat(req *elsewherev1.ExportRequest) error {
	switch req.GetFormat() {
	case elsewherev1.ExportFormat_EXPORT_FORMAT_CSV, elsewherev1.ExportFormat_EXPORT_FORMAT_LIST:
		return nil
	}
	return errNoFormat()
}

func errNoFormat() error {
	return violation("format", "UNKNOWN", "this server writes csv and list")
}
