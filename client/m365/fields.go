package m365

import "strings"

// field is a name of any schema that the reader understands.
type field uint8

const (
	fNone field = iota
	// The audit schema.
	fTime
	fID
	fOperation
	fWorkload
	fRecordType
	fUser
	fUserType
	fUserKey
	fActor
	fOrgName
	fOrgID
	fClientIP
	fClientIPAddress
	fActorIP
	fUserAgent
	fExtended
	fDevice
	fApplicationID
	fAppID
	fClientAppID
	fClientInfo
	fSession
	fAppContext
	fObject
	fTarget
	fParameters
	fDetails
	fModified
	fResult
	fError
	fOwner
	fLogon
	fCross
	fAffected
	fItem
	fFolder
	fDestFolder
	fFolders
	fMessageID
	// Names of an envelope or of another schema.
	fRowID
	fRowTime
	fRowUser
	fRowIP
	fAction
	fAuditData
	fRawEvent
	fProperties
	fEvent
	fO365
	fOffice365
	fData
	fSource
	fMessage
	fRawText
	fResultObject
	fActivity
	fActivityTime
	fInitiatedBy
	fTargets
	fDetailsAdded
	fStatus
	fUPN
	fEvidence
	fServiceSource
	fOfficeID
	fOfficeWorkload
	fOfficeObject
	fTimeGenerated
	fRunspace
	fResultIndex
	fResultCount
	fAdminUnits
	// Columns that a query of Sophos XDR was given other names for.
	fAccess
	fName
	fSubject
	fieldCount
)

// fieldOf finds a folded name: lower case, letters and digits only. Tables made of
// nested records name the way to a field, as in o365.audit.UserId.
func fieldOf(name string) field {
	for _, way := range [...]string{"o365audit", "dataoffice365", "office365"} {
		if rest, ok := strings.CutPrefix(name, way); ok && rest != "" {
			name = rest
			break
		}
	}
	switch name {
	case "creationtime":
		return fTime
	case "id":
		return fID
	case "operation", "operations":
		return fOperation
	case "workload":
		return fWorkload
	case "recordtype", "auditlogrecordtype":
		return fRecordType
	case "userid":
		return fUser
	case "usertype":
		return fUserType
	case "userkey":
		return fUserKey
	case "actor":
		return fActor
	case "organizationname":
		return fOrgName
	case "organizationid":
		return fOrgID
	case "clientip":
		return fClientIP
	case "clientipaddress":
		return fClientIPAddress
	case "actoripaddress":
		return fActorIP
	case "useragent":
		return fUserAgent
	case "extendedproperties":
		return fExtended
	case "deviceproperties":
		return fDevice
	case "applicationid":
		return fApplicationID
	case "appid":
		return fAppID
	case "clientappid":
		return fClientAppID
	case "clientinfostring":
		return fClientInfo
	case "sessionid":
		return fSession
	case "appaccesscontext":
		return fAppContext
	case "objectid":
		return fObject
	case "target", "aadtarget":
		return fTarget
	case "parameters":
		return fParameters
	case "operationproperties":
		return fDetails
	case "modifiedproperties":
		return fModified
	case "resultstatus":
		return fResult
	case "errornumber":
		return fError
	case "mailboxownerupn":
		return fOwner
	case "logontype":
		return fLogon
	case "crossmailboxoperation":
		return fCross
	case "affecteditems":
		return fAffected
	case "item":
		return fItem
	case "folder":
		return fFolder
	case "destfolder":
		return fDestFolder
	case "folders":
		return fFolders
	case "internetmessageid":
		return fMessageID
	}
	return otherFieldOf(name)
}

// otherFieldOf finds names that stand around a record or in another schema.
func otherFieldOf(name string) field {
	switch name {
	case "recordid", "identity":
		return fRowID
	case "creationdate", "createddatetime", "time", "timestamp":
		return fRowTime
	case "userids", "username":
		return fRowUser
	case "ipaddress", "ip":
		return fRowIP
	case "actiontype":
		return fAction
	case "auditdata":
		return fAuditData
	case "raweventdata":
		return fRawEvent
	case "properties":
		return fProperties
	case "event":
		return fEvent
	case "o365":
		return fO365
	case "office365":
		return fOffice365
	case "data":
		return fData
	case "source":
		return fSource
	case "message":
		return fMessage
	case "raw":
		return fRawText
	case "activitydisplayname":
		return fActivity
	case "activitydatetime":
		return fActivityTime
	case "initiatedby":
		return fInitiatedBy
	case "targetresources":
		return fTargets
	case "additionaldetails":
		return fDetailsAdded
	case "status":
		return fStatus
	case "result":
		return fResultObject
	case "userprincipalname":
		return fUPN
	case "evidence":
		return fEvidence
	case "servicesource":
		return fServiceSource
	case "officeid":
		return fOfficeID
	case "officeworkload":
		return fOfficeWorkload
	case "officeobjectid":
		return fOfficeObject
	case "timegenerated":
		return fTimeGenerated
	case "runspaceid", "pscomputername":
		return fRunspace
	case "resultindex":
		return fResultIndex
	case "resultcount", "isvalid", "objectstate", "psshowcomputername":
		return fResultCount
	case "associatedadminunits", "associatedadminunitsnames":
		return fAdminUnits
	case "access", "accessrights":
		return fAccess
	case "name":
		return fName
	case "subject":
		return fSubject
	}
	return fNone
}

// foldName lowers a name of a column or key and leaves out what is no letter or
// digit, and a unit in brackets, as in TimeGenerated [UTC].
func foldName(buf []byte, name string) []byte {
	buf = buf[:0]
	for i := 0; i < len(name) && len(buf) < cap(buf); i++ {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			buf = append(buf, c+'a'-'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			buf = append(buf, c)
		case c == '[' && i > 0:
			return buf
		}
	}
	return buf
}

// view is an object with the fields that are understood.
type view struct {
	obj Value
	at  [fieldCount]int32 // index of the value in obj's document; 0 is absent
}

// look fills the view with an object. Of two keys that mean the same the first
// that is not empty counts.
func (w *view) look(obj Value) {
	*w = view{obj: obj}
	if obj.Kind() != Object {
		return
	}
	var space [48]byte
	nodes := obj.d.nodes
	for i := obj.i + 1; i < nodes[obj.i].next; i = nodes[i].next {
		f := fieldOf(string(foldName(space[:0], obj.d.key(&nodes[i]))))
		if f == fNone {
			continue
		}
		if w.at[f] == 0 || emptyNode(&nodes[w.at[f]]) {
			w.at[f] = i
		}
	}
}

func emptyNode(n *node) bool {
	return n.kind == Null || n.from == n.to
}

// has reports whether there is such a field that is not null or empty.
func (w *view) has(f field) bool {
	return w.at[f] != 0 && !emptyNode(&w.obj.d.nodes[w.at[f]])
}

// kind is the JSON type of a field.
func (w *view) kind(f field) Kind { return w.get(f).Kind() }

func (w *view) get(f field) Value {
	if w.at[f] == 0 {
		return Value{}
	}
	return Value{w.obj.d, w.at[f]}
}

// text is the field's text without surrounding space.
func (w *view) text(f field) string {
	return trim(w.get(f).Text())
}

// first is the first text of several fields that is not empty.
func (w *view) first(fields ...field) string {
	for _, f := range fields {
		if s := w.text(f); s != "" {
			return s
		}
	}
	return ""
}
