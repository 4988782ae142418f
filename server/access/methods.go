package access

import (
	"fmt"
	"slices"
	"strings"
)

// Method says who may call an RPC.
type Method struct {
	Service, Name string
	Roles         []Role
	// Says is what the answer is limited to, for people.
	Says string
}

// Full is the name as gRPC has it.
func (m Method) Full() string { return "/" + m.Service + "/" + m.Name }

// Short is the name that people use: of this project's services without package.
func (m Method) Short() string {
	if _, service, ok := strings.Cut(m.Service, ".v1."); ok {
		return service + "." + m.Name
	}
	return m.Service[strings.LastIndexByte(m.Service, '.')+1:] + "." + m.Name
}

// Recorded reports whether calls go on record: those of this project's services.
func (m Method) Recorded() bool { return strings.HasPrefix(m.Service, "elsewhere.") }

// Names of the services that are not this project's.
const (
	healthService     = "grpc.health.v1.Health"
	reflectionService = "grpc.reflection.v1.ServerReflection"
	reflectionAlpha   = "grpc.reflection.v1alpha.ServerReflection"
)

// Methods returns every RPC with the roles that may call it once there is a key.
// What is not here is for nobody.
func Methods() []Method {
	const (
		cases     = "elsewhere.v1.CaseService"
		correlate = "elsewhere.v1.CorrelationService"
		enrich    = "elsewhere.v1.EnrichmentService"
		models    = "elsewhere.v1.ModelService"
		exports   = "elsewhere.v1.ExportService"
		admin     = "elsewhere.v1.AdminService"
	)
	writers := []Role{RoleSubmitter, RoleTenant, RoleAnalyst, RoleLead}
	askers := []Role{RoleTenant, RoleAnalyst, RoleLead}
	analysts := []Role{RoleAnalyst, RoleLead}
	leads := []Role{RoleLead}
	admins := []Role{RoleAdmin}
	return []Method{
		{cases, "SubmitCase", writers, "own tenants, which have to exist; links only to analysts and leads, both ends on their list"},
		{cases, "SubmitCases", writers, "as SubmitCase"},
		{cases, "GetCase", writers, "own tenants; restricted and tlp:red with a key for them"},
		{cases, "ListCases", writers, "as GetCase"},
		{cases, "DeleteCase", writers, "own tenants"},
		{cases, "TenantHints", writers, "own tenants, which have to exist; keyed hashes are kept; submitter: no counts"},
		{correlate, "Seen", askers, "tenant: infrastructure only, own cases, others as a bucket from k on; analyst, lead: own tenants by name, others as a bucket"},
		{correlate, "ListSightings", askers, "own tenants only"},
		{correlate, "ListLinks", analysts, "links with both ends on the list"},
		{correlate, "ExplainLink", analysts, "both cases on the list"},
		{correlate, "WatchLinks", analysts, "changes of links with both ends on the list; checkpoints by the clock alone"},
		{correlate, "ReviewLink", []Role{RoleLead}, "both cases on the list"},
		{correlate, "ListActors", analysts, "actors with a case on the list, shown through such cases, others as a bucket"},
		{correlate, "GetActor", analysts, "as ListActors"},
		{correlate, "UpdateActor", []Role{RoleLead}, "as ListActors"},
		{correlate, "ActorHistory", analysts, "as ListActors"},
		{enrich, "Enrich", askers, "tenant: infrastructure only, from local data only"},
		{enrich, "ListFeeds", []Role{RoleTenant, RoleAnalyst, RoleLead, RoleAdmin}, ""},
		{models, "ListModels", []Role{RoleAnalyst, RoleLead, RoleAdmin}, ""},
		{models, "GetModel", []Role{RoleAnalyst, RoleLead, RoleAdmin}, ""},
		{models, "ProposeModel", admins, "of the judged cases only whether they exist"},
		{models, "ApplyModel", admins, ""},
		{models, "RollbackModel", admins, ""},
		{exports, "Export", leads, "cases of own tenants, as their labels and ceilings permit; a clear bundle with the approval of a second lead"},
		{exports, "ApproveExport", leads, "as Export"},
		{exports, "Publish", leads, "as Export, to targets that an operator set up; what another key published only with a key for all tenants"},
		{exports, "ListPublications", leads, "those of the key; with a key for all tenants all"},
		{exports, "Import", writers, "as SubmitCase, into tenants reports-…"},
		{exports, "ListCollections", Roles(), "leads: those of what they may export; others none"},
		{exports, "GetCollection", Roles(), "as ListCollections"},
		{exports, "ListCollectionObjects", leads, "as Export, never clear; what may not leave stays and is counted"},
		{admin, "CreateTenant", admins, ""},
		{admin, "GetTenant", admins, ""},
		{admin, "ListTenants", admins, ""},
		{admin, "UpdateTenant", admins, ""},
		{admin, "CreateKey", admins, ""},
		{admin, "ListKeys", admins, ""},
		{admin, "RevokeKey", admins, ""},
		{admin, "RotateKey", admins, ""},
		{admin, "EraseTenant", admins, "of what was erased only how much it was"},
		{admin, "CreateWebhook", admins, "what it is posted: as WatchLinks, of its tenants"},
		{admin, "ListWebhooks", admins, "not the secrets"},
		{admin, "DeleteWebhook", admins, ""},
		{admin, "ListDeadLetters", admins, "not the content of events"},
		{admin, "RetryDeadLetters", admins, ""},
		{admin, "AuditTrail", admins, ""},
		{admin, "WhoAmI", Roles(), "the key itself; submitter, tenant: not the version of the feeds"},
		{admin, "Stats", admins, "counts over the whole deployment, nothing of a tenant"},
		{healthService, "Check", nil, "everybody, also without a key: whether the service runs, nothing of its content"},
		{healthService, "List", nil, "as Check"},
		{healthService, "Watch", nil, "as Check"},
		{reflectionService, "ServerReflectionInfo", Roles(), "the schema"},
		{reflectionAlpha, "ServerReflectionInfo", Roles(), "the schema"},
	}
}

// NeedsKey reports whether a method is refused without a key once there is one.
func NeedsKey(fullMethod string) bool {
	return !strings.HasPrefix(fullMethod, "/"+healthService+"/")
}

// methodRoles is Methods by name.
type methodRoles map[string][]Role

func newMethodRoles() methodRoles {
	table := make(methodRoles)
	for _, m := range Methods() {
		table[m.Full()] = m.Roles
	}
	return table
}

// MethodTable writes Methods as a table in Markdown.
func MethodTable() string {
	var b strings.Builder
	b.WriteString("| method |")
	for _, r := range Roles() {
		fmt.Fprintf(&b, " %s |", r)
	}
	b.WriteString(" limited to |\n|---|" + strings.Repeat(":-:|", len(Roles())) + "---|\n")
	for _, m := range Methods() {
		fmt.Fprintf(&b, "| %s |", m.Short())
		for _, r := range Roles() {
			mark := " "
			if slices.Contains(m.Roles, r) || !NeedsKey(m.Full()) {
				mark = "x"
			}
			fmt.Fprintf(&b, " %s |", mark)
		}
		fmt.Fprintf(&b, " %s |\n", m.Says)
	}
	return b.String()
}
