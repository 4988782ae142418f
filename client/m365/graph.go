package m365

import (
	"strings"
)

// signIn makes a record of a Graph sign-in, or a row of the SigninLogs table. It
// takes the operation that the audit log has for the same event.
func (w *view) signIn(r *Record) {
	v := w.obj
	r.Raw = v
	r.Time, _ = parseTime(w.first(fRowTime, fTimeGenerated))
	r.ID = recordID(w.text(fID))
	r.User = w.text(fUPN)
	r.UserKey = w.text(fUser)
	r.Workload = "AzureActiveDirectory"
	r.RecordType = "azureactivedirectorystslogon"
	status := w.get(fStatus).Embedded()
	r.ErrorNumber = firstText(status, "errorCode")
	if r.ErrorNumber == "" {
		r.ErrorNumber = v.Get("ResultType").Text()
	}
	op := "UserLoginFailed"
	switch {
	case r.ErrorNumber == "0":
		op = "UserLoggedIn"
		r.Result = ResultSucceeded
	case r.Interrupted(), r.ErrorNumber == "":
		op = "UserLoggedIn"
	default:
		r.Result = ResultFailed
	}
	r.setOperation(op)
	r.addAddress("ipAddress", w.text(fRowIP))
	r.addAgent(w.text(fUserAgent))
	r.Apps = addOnce(r.Apps, identifier(w.text(fAppID)))
	r.addSession(w.text(fSession))
	place, device := jsonAt(v, "location", "LocationDetails"), jsonAt(v, "deviceDetail")
	if name := trim(device.Get("displayName").Text()); name != "" {
		r.Devices = addOnce(r.Devices, name)
	}
	s := &SignIn{
		AppName:           v.Get("appDisplayName").Text(),
		ClientApp:         v.Get("clientAppUsed").Text(),
		FailureReason:     status.Get("failureReason").Text(),
		City:              place.Get("city").Text(),
		State:             place.Get("state").Text(),
		Country:           place.Get("countryOrRegion").Text(),
		OperatingSystem:   device.Get("operatingSystem").Text(),
		Browser:           device.Get("browser").Text(),
		Risk:              firstText(v, "riskLevelDuringSignIn", "riskLevelAggregated"),
		ConditionalAccess: v.Get("conditionalAccessStatus").Text(),
		Interactive:       v.Get("isInteractive").Bool(),
		CorrelationID:     v.Get("correlationId").Text(),
	}
	for e := range jsonAt(v, "authenticationDetails").Elements() {
		s.AuthenticationDetails = addOnce(s.AuthenticationDetails, e.Get("authenticationMethod").Text())
	}
	r.SignIn = s
}

// jsonAt is the first of several fields that is there, parsed where it is JSON
// in a string, as in the cells of a table.
func jsonAt(v Value, names ...string) Value {
	for _, name := range names {
		if f := v.Get(name).Embedded(); f.Kind() == Object || f.Kind() == Array {
			return f
		}
	}
	return Value{}
}

// directoryAudit makes a record of a Graph directoryAudit, or a row of the
// AuditLogs table.
func (w *view) directoryAudit(r *Record) {
	v := w.obj
	r.Raw = v
	r.Time, _ = parseTime(w.first(fActivityTime, fTimeGenerated, fRowTime))
	r.ID = recordID(w.text(fID))
	r.setOperation(w.text(fActivity))
	r.Workload = "AzureActiveDirectory"
	r.RecordType = "azureactivedirectory"
	r.Result = result(w.text(fResultObject))
	by := w.get(fInitiatedBy).Embedded()
	user := by.Get("user")
	if user.Kind() == Object {
		r.User = firstText(user, "userPrincipalName", "displayName", "id")
		r.UserKey = user.Get("id").Text()
		r.UserType = UserTypeRegular
		r.addAddress("initiatedBy.user.ipAddress", user.Get("ipAddress").Text())
	} else if app := by.Get("app"); app.Kind() == Object {
		r.User = firstText(app, "displayName", "servicePrincipalName", "servicePrincipalId", "appId")
		r.UserType = UserTypeServicePrincipal
		r.Apps = addOnce(r.Apps, identifier(app.Get("appId").Text()))
	}
	r.Extended = properties(w.get(fDetailsAdded))
	r.addAgent(r.Extended.Get("User-Agent"))
	for t := range w.get(fTargets).Embedded().Elements() {
		upn := t.Get("userPrincipalName").Text()
		r.Targets = addUPN(r.Targets, upn)
		if r.Object == "" {
			r.Object = trim(upn)
		}
		if r.Object == "" {
			r.Object = trim(firstText(t, "displayName", "id"))
		}
		r.Changes = append(r.Changes, changes(t.Get("modifiedProperties"))...)
	}
}

// alert makes a record of a Graph security alert. Its users may be victims, so
// none becomes the actor.
func (w *view) alert(r *Record) {
	v := w.obj
	r.Raw = v
	r.ID = recordID(w.text(fID))
	r.setOperation("Alert")
	r.Workload = v.Get("serviceSource").Text()
	a := &Alert{
		Title:    v.Get("title").Text(),
		Severity: v.Get("severity").Text(),
		Category: v.Get("category").Text(),
		Source:   w.text(fServiceSource),
		Detector: v.Get("detectionSource").Text(),
		Status:   w.text(fStatus),
	}
	a.First, _ = parseTime(v.Get("firstActivityDateTime").Text())
	a.Last, _ = parseTime(v.Get("lastActivityDateTime").Text())
	r.Time = a.First
	if r.Time.IsZero() {
		r.Time, _ = parseTime(w.text(fRowTime))
	}
	for t := range jsonAt(v, "mitreTechniques").Elements() {
		a.Techniques = addOnce(a.Techniques, trim(t.Text()))
	}
	for e := range w.get(fEvidence).Embedded().Elements() {
		if e.Kind() == Object {
			a.Evidence = append(a.Evidence, alertEvidence(r, e))
		}
	}
	r.Alert = a
}

func alertEvidence(r *Record, v Value) AlertEvidence {
	kind := v.Get("@odata.type").Text()
	e := AlertEvidence{Type: kind[strings.LastIndexByte(kind, '.')+1:], Raw: v}
	for role := range v.Get("roles").Elements() {
		e.Roles = addOnce(e.Roles, role.Text())
	}
	upn := firstText(v.Get("userAccount"), "userPrincipalName")
	if upn == "" {
		upn = firstText(v, "primaryAddress", "upn")
	}
	if users := addUPN(nil, upn); len(users) > 0 {
		e.User = users[0]
	}
	if raw := v.Get("ipAddress").Text(); raw != "" {
		if a, ok := parseAddress("", raw); ok {
			e.Addr = a.Addr
		}
		r.addAddress("evidence.ipAddress", raw)
	}
	e.Value = firstText(v, "url", "appId", "internetMessageId", "deviceDnsName", "displayName")
	if e.Value == "" {
		e.Value = firstText(v.Get("fileDetails"), "fileName", "sha256")
	}
	if strings.EqualFold(e.Type, "cloudApplicationEvidence") {
		r.Apps = addOnce(r.Apps, identifier(v.Get("appId").Text()))
	}
	if s := v.Get("sessionId").Text(); s != "" {
		r.addSession(s)
	}
	return e
}
