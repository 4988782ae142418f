package hunt

import "strings"

// chat: chats with people outside, by which lures travel.
func chat() *Hunt {
	return &Hunt{
		Name: "external-chat", Title: "Chats with people outside the organisation",
		Technique:  "T1534",
		Operations: []string{"ChatCreated", "MessageSent", "MemberAdded"},
		Where: func(e *Event) bool {
			info := e.Raw.Get("ParticipantInfo")
			foreign := info.Get("HasForeignTenantUsers").Bool() || info.Get("HasOtherGuestUsers").Bool() ||
				info.Get("HasUnauthenticatedUsers").Bool()
			return foreign && (strings.EqualFold(e.Workload, "MicrosoftTeams") || e.RecordType == "microsoftteams")
		},
		Look: func(e *Event) {
			e.State("chat", oneOf(e.Raw.Get("CommunicationType").Text(), "OneOnOne", "GroupChat"))
			e.Keep("member", e.Raw.Get("Members").Strings()...)
		},
		Points:  0,
		Private: "members, messages, the other organisation",
	}
}
