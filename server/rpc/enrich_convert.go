package rpc

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/enrich"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// fillRecord writes what the sources say behind what cases said. What publishers
// want to be shown goes to credits, once for all records of an answer.
func fillRecord(out *elsewherev1.Record, r *enrich.Record, credits *credits) {
	out.SetClass(cmp.Or(r.Class.Name, enrich.ClassUnknown))
	out.SetClassReasons(r.Class.Reasons)
	grades := make([]*elsewherev1.ClassGrade, len(r.Class.Grades))
	for i, g := range r.Class.Grades {
		grades[i] = elsewherev1.ClassGrade_builder{
			Class: g.Class, Grade: g.Grade, Source: g.Source, Entry: g.Entry, DataDate: toTimestamp(g.DataDate),
		}.Build()
	}
	out.SetClassGrades(grades)
	fields := slices.Grow(out.GetFields(), len(r.Fields))
	for i := range r.Fields {
		f := &r.Fields[i]
		if f.Name == enrich.FieldAttribution {
			if f.Status == enrich.OK {
				credits.add(f)
			}
			continue
		}
		fields = append(fields, wireRecordField(f))
	}
	out.SetFields(fields)
	answers := make([]*elsewherev1.SourceAnswer, len(r.Answers))
	for i, a := range r.Answers {
		answers[i] = elsewherev1.SourceAnswer_builder{
			Source: a.Source, Status: wireLookup(a.Status), LookedUpAt: toTimestamp(a.LookedUpAt),
			Stale: a.Stale, Detail: a.Detail, RetryAt: toTimestamp(a.RetryAt),
		}.Build()
	}
	out.SetAnswers(answers)
}

// wireRecordField writes a field. Why a source gave no answer stands in its
// answer and is not repeated for every field it might have filled.
func wireRecordField(f *enrich.Field) *elsewherev1.RecordField {
	b := elsewherev1.RecordField_builder{
		Name: f.Name, Value: f.Value, Source: f.Source, DataDate: toTimestamp(f.DataDate),
		LookedUpAt: toTimestamp(f.LookedUpAt), Status: wireLookup(f.Status), Stale: f.Stale,
	}
	if f.Status == enrich.OK {
		b.Detail = f.Detail
	}
	return b.Build()
}

// wireLookup writes a status. One that the wire has no word for is an error: it
// must not read as an answer.
func wireLookup(s enrich.Status) elsewherev1.LookupStatus {
	switch s {
	case enrich.OK:
		return elsewherev1.LookupStatus_LOOKUP_STATUS_OK
	case enrich.NoData:
		return elsewherev1.LookupStatus_LOOKUP_STATUS_NO_DATA
	case enrich.NotLookedUp:
		return elsewherev1.LookupStatus_LOOKUP_STATUS_NOT_LOOKED_UP
	case enrich.Quota:
		return elsewherev1.LookupStatus_LOOKUP_STATUS_QUOTA
	default:
		return elsewherev1.LookupStatus_LOOKUP_STATUS_ERROR
	}
}

// credits are the attributions of an answer, in the order of their first use.
type credits struct {
	list []*elsewherev1.Attribution
	have map[credit]bool
}

type credit struct {
	source, text string
	date         time.Time
}

func (c *credits) add(f *enrich.Field) {
	key := credit{f.Source, f.Value, f.DataDate}
	if c.have[key] {
		return
	}
	if c.have == nil {
		c.have = make(map[credit]bool)
	}
	c.have[key] = true
	c.list = append(c.list, elsewherev1.Attribution_builder{
		Source: f.Source, DataDate: toTimestamp(f.DataDate), Text: f.Value,
	}.Build())
}

func wireFeed(f *Feed) *elsewherev1.Feed {
	b := elsewherev1.Feed_builder{
		Name: f.Name, Title: f.Title, Kind: elsewherev1.FeedKind(f.Kind), Status: elsewherev1.FeedStatus(f.Status),
		Licence: f.Licence, Attribution: f.Attribution, Url: f.URL, Date: f.Date,
		Entries:   uint32(min(max(f.Entries, 0), math.MaxUint32)),
		FetchedAt: toTimestamp(f.Fetched), CheckedAt: toTimestamp(f.Checked), Digest: f.Digest, Origin: f.Origin,
	}
	if f.Err != nil {
		b.Error = f.Err.Error()
	}
	return b.Build()
}
