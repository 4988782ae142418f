package m365

import (
	"errors"
	"strings"
)

// maxWrappers is how many objects may stand around a record.
const maxWrappers = 6

var (
	errForm    = errors.New("no known form")
	errNoAudit = errors.New("no AuditData")
)

// builder makes records. It is used by one goroutine.
type builder struct {
	w, e view
}

// object makes a record of a JSON object: a record of any schema, or what wraps
// one. The form is the innermost wrapper's, where there is one.
func (b *builder) object(v Value) (*Record, error) {
	r := &Record{}
	var around Value
	for range maxWrappers {
		if v.Kind() != Object {
			return nil, errForm
		}
		b.w.look(v)
		inner, form, err := b.w.unwrap()
		if err != nil {
			r.Origin.Form, r.Envelope = form, v
			return b.fromEnvelope(r, b.w.text(fAuditData), err)
		}
		if inner.Kind() == Absent {
			form := r.Origin.Form
			rec, err := b.schema(r, around)
			if err != nil && (form == FormPowerShell || form == FormGraphAudit) {
				return b.fromEnvelope(&Record{Origin: Origin{Form: form}, Envelope: around}, "", hollow(v.JSON(), err))
			}
			return rec, err
		}
		if around.Kind() == Absent {
			around = v
		}
		if form != "" {
			r.Origin.Form = form
			around = v
		}
		v = inner
	}
	return nil, errForm
}

// hollow is errNoAudit for AuditData that says nothing, else err.
func hollow(text string, err error) error {
	if nothing(text) || text == "{}" || text == "[]" {
		return errNoAudit
	}
	return err
}

// unwrap finds the record within a wrapper; absent where there is no wrapper. A
// form without a value and an error is a wrapper around nothing that is JSON.
func (w *view) unwrap() (Value, Form, error) {
	held := func(f field) Value {
		if v := w.get(f).Embedded(); v.Kind() == Object {
			return v
		}
		return Value{}
	}
	switch {
	case w.at[fAuditData] != 0:
		form := FormPowerShell
		if w.has(fRowTime) && w.obj.Get("createdDateTime").Kind() != Absent {
			form = FormGraphAudit
		}
		v := held(fAuditData)
		switch {
		case v.Kind() != Absent:
			return v, form, nil
		case w.has(fAuditData):
			return Value{}, form, errSyntax
		}
		return Value{}, form, errNoAudit
	case w.has(fRawEvent):
		if v := held(fRawEvent); v.Kind() != Absent {
			return v, FormCloudApp, nil
		}
	case w.kind(fOffice365) == Object:
		return w.get(fOffice365), FormWazuh, nil
	case w.kind(fEvent) == Object:
		if v := w.get(fEvent).Get("original").Embedded(); v.Kind() == Object {
			return v, FormElastic, nil
		}
	}
	if audit := w.get(fO365).Get("audit"); audit.Kind() == Object {
		return audit, FormElastic, nil
	}
	if w.has(fOperation) || w.has(fActivity) || w.has(fEvidence) {
		return Value{}, "", nil
	}
	for _, f := range [...]field{fData, fSource, fProperties, fResultObject} {
		if w.kind(f) == Object {
			return w.get(f), "", nil
		}
	}
	for _, f := range [...]field{fRawText, fMessage} {
		if v := w.get(f); v.Kind() == String {
			if e := v.Embedded(); e.Kind() == Object {
				return e, "", nil
			}
		}
	}
	return Value{}, "", nil
}

// schema makes a record of the object in view by the schema that its fields
// belong to.
func (b *builder) schema(r *Record, around Value) (*Record, error) {
	w := &b.w
	form := FormActivity
	switch {
	case w.has(fActivity):
		form = FormDirectoryAudit
		w.directoryAudit(r)
	case w.kind(fEvidence) == Array, w.has(fServiceSource) && w.has(fStatus):
		form = FormAlert
		w.alert(r)
	case w.has(fUPN) && !w.has(fOperation) && (w.has(fStatus) || w.has(fAppID) || w.has(fRowIP)):
		form = FormSignIn
		w.signIn(r)
	case w.has(fOperation) && (w.has(fTimeGenerated) || w.has(fOfficeWorkload) || w.has(fOfficeObject)):
		form = FormSentinel
		w.audit(r)
	case w.auditFields() >= 2:
		form = w.auditForm()
		w.audit(r)
		if form == FormSophos {
			w.aliases(r)
		}
	default:
		return nil, errForm
	}
	if r.Origin.Form == "" {
		r.Origin.Form = form
	}
	r.Envelope = around
	b.fallBack(r)
	r.finish()
	return r, nil
}

// auditFields counts fields that tell a record of the audit schema.
func (w *view) auditFields() int {
	n := 0
	for _, f := range [...]field{
		fTime, fOperation, fUser, fWorkload, fRecordType, fClientIP, fObject, fParameters, fModified,
		fOwner, fItem, fAffected, fTarget,
	} {
		if w.has(f) {
			n++
		}
	}
	return n
}

// auditForm tells the spellings of the audit schema apart.
func (w *view) auditForm() Form {
	for _, f := range [...]field{fTime, fUser, fClientIP, fObject, fModified, fOwner, fAffected, fRecordType} {
		if w.at[f] == 0 {
			continue
		}
		key := w.obj.d.key(&w.obj.d.nodes[w.at[f]])
		switch {
		case strings.Contains(key, "o365."):
			return FormElastic
		case strings.Contains(key, "office365."):
			return FormWazuh
		case strings.Contains(key, "_"):
			return FormSophos
		case key == strings.ToLower(key):
			return FormPanther
		default:
			return FormActivity
		}
	}
	return FormSophos
}

// aliases reads the columns that the published queries give other names.
func (w *view) aliases(r *Record) {
	if r.Time.IsZero() {
		r.Time, _ = parseTime(w.text(fRowTime))
	}
	if len(r.Addresses) == 0 {
		r.addAddress("ClientIP", w.text(fRowIP))
	}
	if s := w.get(fSource); s.Kind() == String {
		if a, ok := parseAddress("Source", s.Text()); ok && a.Addr.IsValid() {
			r.Addresses = append(r.Addresses, a)
		}
	}
	for _, p := range [...]struct {
		f    field
		name string
	}{{fAccess, "AccessRights"}, {fName, "Name"}} {
		if _, have := r.Parameters.Lookup(p.name); !have && w.has(p.f) {
			r.Parameters = append(r.Parameters, Property{p.name, w.text(p.f)})
		}
	}
	r.Mailbox.Subjects = addOnce(r.Mailbox.Subjects, w.text(fSubject))
}

// fallBack fills what the record lacks from its envelope.
func (b *builder) fallBack(r *Record) {
	if r.Envelope.Kind() == Absent {
		return
	}
	lacks := r.Time.IsZero() || r.Operation == "" || r.User == "" || r.ID == "" || r.RecordType == "" ||
		len(r.Addresses) == 0 || len(r.UserAgents) == 0
	if !lacks {
		return
	}
	e := &b.e
	e.look(r.Envelope)
	form := r.Origin.Form
	if r.Time.IsZero() {
		r.Time, _ = parseRowTime(e.first(fRowTime, fTime, fTimeGenerated), form == FormPurview)
	}
	if r.OperationRaw == "" {
		r.setOperation(e.first(fOperation, fAction))
	}
	if r.User == "" {
		r.User = e.first(fUPN, fRowUser, fUser)
	}
	if r.RecordType == "" {
		r.RecordType = recordType(e.text(fRecordType))
	}
	if len(r.Addresses) == 0 {
		r.addAddress("ClientIP", e.first(fClientIP, fRowIP))
	}
	if len(r.UserAgents) == 0 {
		r.addAgent(e.text(fUserAgent))
	}
	if r.ID != "" {
		return
	}
	switch form {
	case FormPurview, FormPowerShell, FormExport, FormGraphAudit:
		// The id of another system's row says nothing of the record.
		r.ID = recordID(e.first(fRowID, fID))
	}
}

// fromEnvelope makes a partial record of a row whose AuditData could not be
// read, and of what can be mended of that text. The error says why.
func (b *builder) fromEnvelope(r *Record, audit string, why error) (*Record, error) {
	r.Partial = true
	if d := mend(audit); d != nil {
		b.w.look(Value{d, 0})
		if b.w.auditFields() > 0 {
			b.w.audit(r)
		}
	}
	b.fallBack(r)
	r.finish()
	if r.Operation == "" {
		return nil, why
	}
	return r, why
}
