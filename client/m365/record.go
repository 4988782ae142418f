package m365

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Origin says where a record stood, for the trace from a finding to evidence.
type Origin struct {
	// File is the name of the source, as it was given or found in a folder.
	File string
	// Line counts from 1 and is where the row or object begins, in the text
	// after decompression.
	Line int
	// Number counts the rows of the file from 1. It tells records of one line
	// apart.
	Number int
	Form   Form
}

// Form is a container and schema that evidence comes in.
type Form string

// The forms that are read.
const (
	FormPurview        Form = "purview_csv"      // audit search of the portal
	FormPowerShell     Form = "powershell"       // Search-UnifiedAuditLog, CSV or JSON
	FormExport         Form = "audit_export"     // another system's rows with an AuditData column
	FormActivity       Form = "activity_api"     // bare audit records
	FormElastic        Form = "elastic"          // event.original, or o365.audit
	FormWazuh          Form = "wazuh"            // office365
	FormPanther        Form = "panther"          // lower-cased keys
	FormGraphAudit     Form = "graph_audit"      // auditLogQuery records
	FormCloudApp       Form = "cloud_app_events" // RawEventData
	FormSentinel       Form = "office_activity"  // renamed columns
	FormSignIn         Form = "sign_in"          // Graph signIn
	FormDirectoryAudit Form = "directory_audit"  // Graph directoryAudit
	FormAlert          Form = "alerts_v2"        // Graph security alert
	FormSophos         Form = "sophos_xdr"       // rows of xdr_identity_o365
)

// Record is one event of any form. Strings are as the evidence has them, valid
// UTF-8, unless a field says otherwise; a field that the form lacks is zero.
// A list holds at most 1,000 values; Raw has all.
//
// A Record is not changed after it was yielded and may be kept. Its strings share
// the memory of the whole record: whoever keeps a few of very many clones them.
type Record struct {
	Origin Origin
	// Time is UTC. It is zero where the evidence has none that can be trusted,
	// as in a row whose only date is in the culture of the collector.
	Time time.Time
	// ID is the record's own id; empty where there is none or a placeholder.
	ID string
	// Operation is folded for comparison: see FoldOperation.
	Operation string
	// OperationRaw is the operation as written.
	OperationRaw string
	Workload     string
	// RecordType is the documented name, lower-cased, as in exchangeadmin,
	// whether the evidence has number or name; an unknown number stays one.
	RecordType string

	// User is UserId as written, without surrounding space: mostly a UPN in
	// any case, but also SYSTEM, a SID or a service.
	User     string
	UserType UserType
	UserKey  string
	// Actors are the UPNs of the actor, lower-cased, sorted, each once: from
	// User where it has the form of one and from Actor[] of type 5.
	Actors []string
	// Organization is OrganizationName or OrganizationId.
	Organization string

	// Addresses are the client addresses in the order of their fields. One
	// address may stand in several fields. None is judged.
	Addresses []Address
	// UserAgents are those of all places that name one, each once.
	UserAgents []string
	// Apps are application ids, lower-cased, each once.
	Apps []string
	// Sessions are session ids, lower-cased, each once.
	Sessions []string
	// Devices are the display names of devices.
	Devices []string

	// Object is ObjectId: what the operation was done to, in many shapes.
	Object string
	// Targets are the UPNs of Target[] of type 5, or of a directory audit's
	// target resources, lower-cased, each once.
	Targets []string

	// Parameters are those of a cmdlet.
	Parameters Properties
	// Extended are ExtendedProperties, or additionalDetails of a directory audit.
	Extended Properties
	// Details are OperationProperties, of rules made in Outlook and of
	// MailItemsAccessed.
	Details Properties
	// Changes are ModifiedProperties.
	Changes []Change

	Result Result
	// ErrorNumber is the sign-in error as written, "0" for none; empty when
	// there is no such field.
	ErrorNumber string

	Mailbox Mailbox
	// SignIn is set for Graph sign-ins.
	SignIn *SignIn
	// Alert is set for Graph security alerts.
	Alert *Alert

	// Raw is the whole record as it was parsed, of whatever is not above.
	Raw Value
	// Envelope is what stood around the record: other columns of its row, the
	// keys of a wrapper. Absent where there was nothing.
	Envelope Value
	// Partial says that the record was made from the envelope alone, because
	// AuditData was empty or could not be read.
	Partial bool
}

// Compare orders records by time, id, operation, user and then by their text,
// so that a sorted list does not depend on the order of the evidence.
func (r *Record) Compare(o *Record) int {
	return cmp.Or(
		r.Time.Compare(o.Time),
		strings.Compare(strings.ToLower(r.ID), strings.ToLower(o.ID)),
		strings.Compare(r.Operation, o.Operation),
		strings.Compare(r.User, o.User),
		strings.Compare(r.Raw.JSON(), o.Raw.JSON()),
	)
}

// Interrupted reports a sign-in that was asked something and went on in another
// record, as the question to stay signed in (AADSTS50140). It is no login.
func (r *Record) Interrupted() bool { return r.ErrorNumber == "50140" }

// FoldOperation is the form in which operations are compared: lower-cased,
// without surrounding space and final dot, with U+2013 as a hyphen.
func FoldOperation(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "\u2013", "-")
	return strings.ToLower(strings.TrimSpace(strings.TrimSuffix(s, ".")))
}

// Address is a client address and where it stood.
type Address struct {
	// Addr is the address without port and zone, an IPv4 address never mapped
	// into IPv6. It is invalid where Raw holds a host name or something else.
	Addr netip.Addr
	Port uint16 // 0 when there is none
	// Field is the field's name in the audit schema: ClientIP, ClientIPAddress,
	// ActorIpAddress, or ipAddress and initiatedBy.user.ipAddress of Graph,
	// evidence.ipAddress of an alert, Source of a query result.
	Field string
	Raw   string
}

// UserType is the schema's kind of account; UserTypeUnknown when not said.
type UserType int8

// User types of the audit schema, one more than its numbers.
const (
	UserTypeUnknown UserType = iota
	UserTypeRegular
	UserTypeReserved
	UserTypeAdmin
	UserTypeDcAdmin
	UserTypeSystem
	UserTypeApplication
	UserTypeServicePrincipal
	UserTypeCustomPolicy
	UserTypeSystemPolicy
)

// Result is what became of the operation.
type Result int8

// Results. ResultUnknown is also ResultStatus None, and most records that say
// nothing were successful.
const (
	ResultUnknown Result = iota
	ResultSucceeded
	ResultFailed
	ResultPartial
)

func (r Result) String() string {
	return [...]string{"unknown", "succeeded", "failed", "partial"}[r&3]
}

// Property is a name with a value. A value that is not text is JSON.
type Property struct {
	Name, Value string
}

// Properties are looked up by name without regard to case, never by position.
type Properties []Property

// Get returns the first value of that name, or "".
func (p Properties) Get(name string) string {
	v, _ := p.Lookup(name)
	return v
}

// Lookup returns the first value of that name and whether there is one.
func (p Properties) Lookup(name string) (string, bool) {
	for i := range p {
		if strings.EqualFold(p[i].Name, name) {
			return p[i].Value, true
		}
	}
	return "", false
}

// List returns the values of that name as a list: parts of a JSON array or of a
// list joined with semicolons, without surrounding space, none empty.
func (p Properties) List(name string) []string {
	var list []string
	for i := range p {
		if strings.EqualFold(p[i].Name, name) {
			list = append(list, splitList(p[i].Value)...)
		}
	}
	return list
}

func splitList(s string) []string {
	var parts []string
	if v := embedded(s); v.Kind() == Array {
		for e := range v.Elements() {
			parts = append(parts, e.Text())
		}
	} else {
		parts = strings.Split(s, ";")
	}
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}

// Change is one modified property. Old and New are as written, often JSON text;
// a service that only names what changed leaves both empty.
type Change struct {
	Name, Old, New string
}

// NewValue is New as a value: parsed where it is JSON text, as in a directory
// audit, else the text itself.
func (c Change) NewValue() Value { return ParseValue(c.New) }

// OldValue is Old as NewValue is New.
func (c Change) OldValue() Value { return ParseValue(c.Old) }

// Mailbox holds the fields of mailbox audit.
type Mailbox struct {
	Owner string // MailboxOwnerUPN as written
	Logon Logon
	// CrossMailbox is CrossMailboxOperation.
	CrossMailbox bool
	// Subjects are those of the items, each once, none empty.
	Subjects []string
	// Folders are paths of the folders concerned, source and destination, each
	// once.
	Folders []string
	// Destination is the path of DestFolder, where items were moved to.
	Destination string
	// MessageIDs are internet message ids of the items, each once.
	MessageIDs []string
	// ClientInfo is ClientInfoString, as in Client=OWA;Action=ViaProxy.
	ClientInfo string
	// Items counts affected items, or those accessed.
	Items int
}

// Logon is the schema's LogonType; LogonUnknown when not said.
type Logon int8

// Logon types, one more than the schema's numbers.
const (
	LogonUnknown Logon = iota
	LogonOwner
	LogonAdmin
	LogonDelegate
)

// SignIn holds what only Graph says of a sign-in.
type SignIn struct {
	AppName, ClientApp    string
	FailureReason         string
	City, State, Country  string
	OperatingSystem       string
	Browser, Risk         string
	ConditionalAccess     string
	Interactive           bool
	CorrelationID         string
	AuthenticationDetails []string // the methods used, as named
}

// Alert is a security alert of Graph.
type Alert struct {
	Title, Severity, Category string
	// Source is serviceSource, Detector is detectionSource.
	Source, Detector string
	Status           string
	// Techniques are ATT&CK ids as written.
	Techniques []string
	// First and Last are the span of the alert's activity.
	First, Last time.Time
	Evidence    []AlertEvidence
}

// AlertEvidence is one entity of an alert.
type AlertEvidence struct {
	// Type is @odata.type without the namespace, as in userEvidence.
	Type string
	// User is the UPN of a user or mailbox, lower-cased.
	User string
	Addr netip.Addr
	// Value is the main value of another kind of evidence: a URL, an
	// application id, a file's name, a message's sender.
	Value string
	Roles []string
	Raw   Value
}
