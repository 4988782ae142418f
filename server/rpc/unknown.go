package rpc

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

const unknownField = "UNKNOWN_FIELD"

// checkUnknown returns an error that names every message of a submit which has
// fields that this version of the schema lacks.
func checkUnknown(req *elsewherev1.SubmitCaseRequest) error {
	if !unknown(req) && !anyUnknown(req.GetCase()) {
		return nil
	}
	found := unknownFields(nil, "", req.GetCase().ProtoReflect())
	if unknown(req) {
		found = append(found, evidence.Violation{Path: "", Reason: unknownField, Message: "the request has a field that this server does not know"})
	}
	return &evidence.InvalidError{Violations: found[:min(len(found), evidence.MaxViolations)], Total: len(found)}
}

// anyUnknown reports whether unknownFields would find something. Nearly always
// nothing is there, and to see that by reflection costs as much as all the rest
// of reading a case.
func anyUnknown(c *elsewherev1.Case) bool {
	if unknown(c) || unknownTimes(c.GetOpenedAt(), c.GetClosedAt(), c.GetEvidenceFrom(), c.GetEvidenceTo(), c.GetCreateTime(), c.GetUpdateTime()) {
		return true
	}
	for _, f := range c.GetFindings() {
		if unknown(f) || unknownTimes(f.GetFirstSeen(), f.GetLastSeen()) || unknownFacts(f.GetFacts()) {
			return true
		}
		for _, o := range f.GetObservables() {
			if unknown(o) || unknownTimes(o.GetFirstSeen(), o.GetLastSeen()) || unknownFacts(o.GetFacts()) {
				return true
			}
		}
	}
	return false
}

func unknownFacts(facts []*elsewherev1.Fact) bool {
	for _, f := range facts {
		if unknown(f) || unknownTimes(f.GetObservedAt()) {
			return true
		}
	}
	return false
}

func unknownTimes(times ...*timestamppb.Timestamp) bool {
	for _, t := range times {
		if t != nil && unknown(t) {
			return true
		}
	}
	return false
}

func unknown(m protoreflect.ProtoMessage) bool { return len(m.ProtoReflect().GetUnknown()) > 0 }

// unknownFields reports the messages below m that have fields which this
// version of the schema lacks: a newer client means something by them.
func unknownFields(found []evidence.Violation, path string, m protoreflect.Message) []evidence.Violation {
	if len(m.GetUnknown()) > 0 {
		found = append(found, evidence.Violation{Path: path, Reason: unknownField, Message: "a field that this server does not know"})
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Message() == nil || f.IsMap() {
			return true
		}
		name := string(f.Name())
		if path != "" {
			name = path + "." + name
		}
		if !f.IsList() {
			found = unknownFields(found, name, v.Message())
			return true
		}
		for i := range v.List().Len() {
			found = unknownFields(found, fmt.Sprintf("%s[%d]", name, i), v.List().Get(i).Message())
		}
		return true
	})
	return found
}
