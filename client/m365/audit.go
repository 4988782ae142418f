package m365

import (
	"slices"
	"strings"
)

// audit makes a record of the unified audit schema, in any of its spellings.
func (w *view) audit(r *Record) {
	r.Raw = w.obj
	r.Time, _ = parseTime(w.first(fTime, fTimeGenerated))
	r.ID = recordID(w.first(fID, fOfficeID))
	r.setOperation(w.text(fOperation))
	r.Workload = w.first(fWorkload, fOfficeWorkload)
	r.RecordType = recordType(w.text(fRecordType))
	r.User = w.text(fUser)
	r.UserType = userType(w.text(fUserType))
	r.UserKey = w.text(fUserKey)
	r.Organization = w.first(fOrgName, fOrgID)
	r.Object = w.first(fObject, fOfficeObject)
	r.addAddress("ClientIP", w.text(fClientIP))
	r.addAddress("ClientIPAddress", w.text(fClientIPAddress))
	r.addAddress("ActorIpAddress", w.text(fActorIP))
	r.Parameters = properties(w.get(fParameters))
	r.Extended = properties(w.get(fExtended))
	r.Details = properties(w.get(fDetails))
	r.Changes = changes(w.get(fModified))
	r.Actors = principals(r.Actors, w.get(fActor))
	r.Targets = principals(r.Targets, w.get(fTarget))
	w.mailbox(r)
	w.client(r)
	r.ErrorNumber = w.text(fError)
	r.Result = result(w.text(fResult))
}

// setOperation sets the operation in both forms.
func (r *Record) setOperation(s string) {
	r.OperationRaw = s
	r.Operation = FoldOperation(s)
}

// finish sets what follows from other fields.
func (r *Record) finish() {
	r.Actors = addUPN(r.Actors, r.User)
	slices.Sort(r.Actors)
	if r.Result == ResultUnknown && r.Operation == "userloginfailed" {
		r.Result = ResultFailed
	}
}

// client gathers agents, applications, sessions and devices.
func (w *view) client(r *Record) {
	r.addAgent(w.text(fUserAgent))
	r.addAgent(r.Extended.Get("UserAgent"))
	r.Mailbox.ClientInfo = w.text(fClientInfo)
	agent, app := clientInfo(r.Mailbox.ClientInfo)
	r.addAgent(agent)
	context := w.get(fAppContext).Embedded()
	for _, id := range [...]string{
		w.text(fApplicationID), w.text(fAppID), w.text(fClientAppID), context.Get("ClientAppId").Text(), app,
	} {
		r.Apps = addOnce(r.Apps, identifier(id))
	}
	devices := properties(w.get(fDevice))
	r.addSession(w.text(fSession))
	r.addSession(devices.Get("SessionId"))
	r.addSession(context.Get("AADSessionId").Text())
	if name := trim(devices.Get("DisplayName")); !nothing(name) {
		r.Devices = addOnce(r.Devices, name)
	}
}

func (r *Record) addAgent(s string) {
	if s = trim(s); !nothing(s) {
		r.UserAgents = addOnce(r.UserAgents, s)
	}
}

func (r *Record) addSession(s string) { r.Sessions = addOnce(r.Sessions, identifier(s)) }

// identifier folds an id; a placeholder becomes empty.
func identifier(s string) string {
	s = strings.ToLower(trim(s))
	if nothing(s) || strings.Trim(s, "0-{}") == "" {
		return ""
	}
	return s
}

// recordID is an id as written, or empty for a placeholder.
func recordID(s string) string {
	if identifier(s) == "" {
		return ""
	}
	return s
}

// clientInfo finds the user agent and application that ClientInfoString hides
// behind its own words: Client=OWA;Mozilla/5.0 (...), Client=REST;;[AppId=...].
func clientInfo(s string) (agent, app string) {
	if i := strings.Index(s, "[AppId="); i >= 0 {
		app, _, _ = strings.Cut(s[i+len("[AppId="):], "]")
		s = s[:i]
	}
	for s != "" {
		part, rest, _ := strings.Cut(s, ";")
		name, _, pair := strings.Cut(part, "=")
		if part != "" && (!pair || strings.ContainsAny(name, " /(")) {
			agent = strings.TrimRight(trim(s), "; ")
			break
		}
		s = rest
	}
	if !strings.Contains(agent, "/") {
		agent = ""
	}
	return agent, app
}

// principals adds the UPNs of Actor or Target: of type 5, or without a type but
// of their form.
func principals(list []string, v Value) []string {
	for e := range v.Embedded().Elements() {
		e = e.Embedded()
		switch e.Kind() {
		case Object:
			if t := e.Get("Type").Text(); t == "5" || t == "" || strings.EqualFold(t, "upn") {
				list = addUPN(list, e.Get("ID").Text())
			}
		case String:
			list = addUPN(list, e.Text())
		}
	}
	return list
}

// addUPN adds a user principal name, lower-cased, or nothing where s is none.
func addUPN(list []string, s string) []string {
	s = strings.ToLower(trim(s))
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || !strings.Contains(s[at:], ".") || strings.ContainsAny(s, " \\/:;,|\"<>()") {
		return list
	}
	return addOnce(list, s)
}

func result(s string) Result {
	switch strings.ToLower(s) {
	case "true", "success", "succeeded", "successful", "ok":
		return ResultSucceeded
	case "false", "failed", "failure", "fail", "error", "timeout":
		return ResultFailed
	case "partiallysucceeded", "partialsuccess", "partial":
		return ResultPartial
	}
	return ResultUnknown
}

// mailbox gathers the fields of mailbox audit.
func (w *view) mailbox(r *Record) {
	m := &r.Mailbox
	m.Owner = w.text(fOwner)
	m.Logon = logon(w.text(fLogon))
	m.CrossMailbox = w.get(fCross).Bool()
	m.MessageIDs = addOnce(m.MessageIDs, w.text(fMessageID))
	m.addFolder(w.get(fFolder))
	m.Destination = m.addFolder(w.get(fDestFolder))
	m.addItems(w.get(fItem))
	m.addItems(w.get(fAffected))
	for f := range w.get(fFolders).Embedded().Elements() {
		m.addFolder(f)
		for item := range f.Get("FolderItems").Elements() {
			m.Items++
			m.MessageIDs = addOnce(m.MessageIDs, trim(item.Get("InternetMessageId").Text()))
		}
	}
}

func (m *Mailbox) addFolder(v Value) string {
	v = v.Embedded()
	path := ""
	switch v.Kind() {
	case Object:
		path = trim(firstText(v, "Path", "Name"))
	case String:
		path = trim(v.Text())
	}
	m.Folders = addOnce(m.Folders, path)
	return path
}

func (m *Mailbox) addItems(v Value) {
	for e := range v.Embedded().Elements() {
		e = e.Embedded()
		if e.Kind() != Object {
			continue
		}
		m.Items++
		m.Subjects = addOnce(m.Subjects, trim(e.Get("Subject").Text()))
		m.MessageIDs = addOnce(m.MessageIDs, trim(e.Get("InternetMessageId").Text()))
		m.addFolder(e.Get("ParentFolder"))
	}
}

func logon(s string) Logon {
	switch strings.ToLower(s) {
	case "0", "owner":
		return LogonOwner
	case "1", "admin":
		return LogonAdmin
	case "2", "delegate", "delegated":
		return LogonDelegate
	}
	return LogonUnknown
}

func userType(s string) UserType {
	switch strings.ToLower(s) {
	case "0", "regular":
		return UserTypeRegular
	case "1", "reserved":
		return UserTypeReserved
	case "2", "admin":
		return UserTypeAdmin
	case "3", "dcadmin":
		return UserTypeDcAdmin
	case "4", "system":
		return UserTypeSystem
	case "5", "application":
		return UserTypeApplication
	case "6", "serviceprincipal":
		return UserTypeServicePrincipal
	case "7", "custompolicy":
		return UserTypeCustomPolicy
	case "8", "systempolicy":
		return UserTypeSystemPolicy
	}
	return UserTypeUnknown
}
