package rpc

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
)

// seenMessages makes the messages of some answers of Seen. Those of one sort are made
// together: an answer for 1,000 values holds some 20,000, and most of the time to make
// one goes into finding room for it.
type seenMessages struct {
	answers     int // that are still to come, as far as is known
	results     []elsewherev1.SeenResult
	observables []elsewherev1.Observable
	counts      []elsewherev1.CountRange
	ranges      []elsewherev1.TimeRange
	sightings   []elsewherev1.Sighting
	times       []timestamppb.Timestamp
}

// take returns a message from room, or from new room for so many.
func take[T any](room *[]T, many int) *T {
	if len(*room) == 0 {
		*room = make([]T, max(many, 1))
	}
	m := &(*room)[0]
	*room = (*room)[1:]
	return m
}

func (m *seenMessages) result(a *seenAnswer) *elsewherev1.SeenResult {
	r, o := take(&m.results, m.answers), take(&m.observables, m.answers)
	o.SetKind(a.kind)
	o.SetValue(a.value)
	r.SetObservable(o)
	r.SetStatus(a.status)
	r.SetGeneric(a.genericReason != "")
	r.SetGenericReason(a.genericReason)
	r.SetClass(a.class.Name)
	r.SetClassReasons(a.class.Reasons)
	r.SetMoreSightings(a.More)
	if a.violation != nil {
		r.SetViolation(wireViolation(*a.violation))
	}
	if a.disclosed {
		r.SetTenants(m.count(a.Tenants))
		r.SetCases(m.count(a.Cases))
	}
	if a.Others != nil {
		r.SetOtherTenants(m.count(*a.Others))
	}
	r.SetFirstSeen(m.span(a.First))
	r.SetLastSeen(m.span(a.Last))
	if n := len(a.Sightings); n > 0 {
		shown := make([]*elsewherev1.Sighting, n)
		for i := range shown {
			shown[i] = m.sighting(a, i)
		}
		r.SetSightings(shown)
	}
	m.answers--
	return r
}

// sighting makes the message of the nth sighting of an answer.
func (m *seenMessages) sighting(a *seenAnswer, nth int) *elsewherev1.Sighting {
	left := len(a.Sightings) - nth
	s, shown := &a.Sightings[nth], take(&m.sightings, left)
	shown.SetTenant(s.Tenant)
	shown.SetCase(s.Case)
	shown.SetRoles(s.Roles)
	shown.SetFirstSeen(m.time(s.First, 2*left))
	shown.SetLastSeen(m.time(s.Last, 2*left))
	shown.SetWithheld(left <= a.Withheld)
	return shown
}

func (m *seenMessages) count(r access.CountRange) *elsewherev1.CountRange {
	c := take(&m.counts, 3*m.answers)
	c.SetMin(r.Min)
	if !r.OrMore {
		c.SetMax(r.Max)
	}
	return c
}

func (m *seenMessages) span(r access.TimeRange) *elsewherev1.TimeRange {
	if r.Latest.IsZero() {
		return nil
	}
	s := take(&m.ranges, 2*m.answers)
	latest := m.time(r.Latest, 2*m.answers)
	s.SetEarliest(latest)
	s.SetLatest(latest)
	if !r.Earliest.Equal(r.Latest) {
		s.SetEarliest(m.time(r.Earliest, 2*m.answers))
	}
	return s
}

func (m *seenMessages) time(t time.Time, many int) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	stamp := take(&m.times, many)
	stamp.Seconds, stamp.Nanos = t.Unix(), int32(t.Nanosecond())
	return stamp
}
