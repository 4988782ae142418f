package hunt

import (
	"regexp"
	"strings"

	"github.com/elsewhere-project/elsewhere/client/m365"
)

// Techniques of mail rules.
const (
	forwardsMail = "T1114.003"
	hidesMail    = "T1564.008"
)

// action is one thing that a rule does with mail.
type action struct {
	name      string // as cmdlets call the parameter
	technique string // "" for what says neither
	targets   bool   // its value names recipients
	points    int
}

// ruleActions are what transport and inbox rules can do to mail that matters.
func ruleActions() []action {
	return []action{
		{"BlindCopyTo", forwardsMail, true, 5},
		{"CopyTo", forwardsMail, true, 4},
		{"RedirectMessageTo", forwardsMail, true, 5},
		{"RedirectTo", forwardsMail, true, 5},
		{"ForwardTo", forwardsMail, true, 4},
		{"ForwardAsAttachmentTo", forwardsMail, true, 4},
		{"AddToRecipients", forwardsMail, true, 4},
		{"AddManagerAsRecipientType", forwardsMail, false, 0},
		{"ModerateMessageByUser", forwardsMail, true, 3},
		{"ModerateMessageByManager", "", false, 0},
		{"RouteMessageOutboundConnector", forwardsMail, false, 3},
		{"SendTextMessageNotificationTo", forwardsMail, false, 3},
		{"DeleteMessage", hidesMail, false, 4},
		{"SoftDeleteMessage", hidesMail, false, 4},
		{"MoveToFolder", hidesMail, false, 2},
		{"CopyToFolder", "", false, 0},
		{"MarkAsRead", hidesMail, false, 1},
		{"SetSCL", "", false, 1},
		{"Quarantine", "", false, 0},
		{"StopRuleProcessing", "", false, 0},
		{"StopProcessingRules", "", false, 0},
		{"RemoveHeader", "", false, 1},
		{"PrependSubject", "", false, 0},
		{"SetAuditSeverity", "", false, 0},
		{"DisclaimerText", "", false, 0},
		{"ApplyHtmlDisclaimerText", "", false, 0},
	}
}

// ruleConditions are the parameters that hold words a rule looks for.
const ruleConditions = "SubjectContainsWords SubjectOrBodyContainsWords BodyContainsWords SubjectMatchesPatterns " +
	"SubjectOrBodyMatchesPatterns FromAddressContainsWords FromAddressMatchesPatterns HeaderContainsWords " +
	"HeaderContainsMessageHeader AttachmentContainsWords AttachmentNameMatchesPatterns RecipientAddressContainsWords " +
	"AnyOfRecipientAddressContainsWords"

// minKeywords is how many generic words a rule has to look for to be told by them.
const minKeywords = 3

// lookAtRule keeps what can be compared of a rule: its name, its actions, where
// it sends mail, and the generic words it is about.
func lookAtRule(e *Event, name string) {
	e.Observe(Observable{Kind: "rule_name", Value: name, Role: "created", Written: true})
	e.Count(name)
	var words []string // the name is compared by itself
	for _, who := range []string{"From", "SentTo"} {
		e.Keep("what a rule looks for", e.Parameters.Get(who))
	}
	for condition := range strings.FieldsSeq(ruleConditions) {
		if v := e.Parameters.Get(condition); v != "" {
			e.Keep("what a rule looks for", v)
			words = append(words, v)
		}
	}
	if v := e.Details.Get("RuleCondition"); v != "" {
		e.Keep("what a rule looks for", v)
		words = append(words, v)
	}
	if found := e.Lexicon.Keywords(words...); len(found) >= minKeywords {
		e.Observe(Observable{Kind: "rule_words", Value: strings.Join(found, " "), Role: "created"})
	}
	if onlySigns(name) {
		e.State("rule_name", "only signs")
		e.Hot(5)
	}
	technique := ""
	for _, a := range ruleActions() {
		v, ok := e.Parameters.Lookup(a.name)
		if !ok || off(v) {
			continue
		}
		technique = act(e, technique, a, v)
	}
	for _, text := range []string{e.Details.Get("RuleActions"), e.Details.Get("Actions")} {
		technique = lookAtActions(e, technique, m365.ParseValue(text))
	}
	if technique != "" {
		e.Technique(technique)
	}
}

// act notes one action and returns the technique so far; forwarding says more
// than hiding.
func act(e *Event, technique string, a action, value string) string {
	e.State("rule_action", a.name)
	e.Hot(a.points)
	switch a.name {
	case "SetSCL":
		if level := strings.TrimSpace(value); level == "-1" {
			e.State("set_scl", "-1")
			e.Hot(4)
		}
	case "SetAuditSeverity":
		e.State("set_audit_severity", oneOf(value, "Low", "Medium", "High", "DoNotAudit", "NotSpecified"))
	case "MoveToFolder":
		if folder := hideFolder(value); folder != "" {
			e.State("moves_to", folder)
			e.Hot(4)
		}
	}
	if a.targets {
		forwardTargets(e, value)
	}
	if technique == "" || a.technique == forwardsMail {
		return first(a.technique, technique)
	}
	return technique
}

// lookAtActions reads the actions of a rule that was made in Outlook.
func lookAtActions(e *Event, technique string, v m365.Value) string {
	if v.Kind() != m365.Array && v.Kind() != m365.Object {
		return technique
	}
	text := strings.ToLower(v.JSON())
	for _, a := range ruleActions() {
		kind := strings.ToLower(strings.TrimSuffix(a.name, "Message"))
		if a.targets {
			kind = strings.TrimSuffix(kind, "to")
		}
		if strings.Contains(text, `"`+kind+`"`) || strings.Contains(text, `"`+strings.ToLower(a.name)+`"`) {
			technique = act(e, technique, a, strings.Join(v.Strings(), ";"))
		}
	}
	return technique
}

// off reports whether a switch is not set, or a list empty.
func off(v string) bool {
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "", "false", "null", "{}", "[]", "$null":
		return true
	}
	return false
}

func oneOf(s string, known ...string) string {
	for _, k := range known {
		if strings.EqualFold(strings.TrimSpace(s), k) {
			return k
		}
	}
	return ""
}

var mailAddress = regexp.MustCompile(`[\p{L}\p{N}.!#$%&'*+/=?^_{|}~-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+`)

// forwardTargets keeps the addresses that mail is sent to. Which of them are the
// tenant's own is for the privacy of the case to say.
func forwardTargets(e *Event, value string) {
	for _, address := range mailAddress.FindAllString(value, 64) {
		e.Observe(Observable{Kind: "forward_to", Value: strings.ToLower(address), Role: "forward_target"})
	}
}

// onlySigns reports a name that is there so as not to be noticed.
func onlySigns(name string) bool {
	name = strings.TrimSpace(name)
	return name != "" && len(name) <= 16 && strings.Trim(name, " .,;:!?-_/\\|'\"`~*+=#@$%^&()[]{}<>·…") == ""
}

// hideFolders are folders that hardly anybody opens, in the languages of
// mailboxes, with the word that stands for them.
const hideFolders = `rss: rss feeds, rss subscriptions, rss-feeds, rss-abonnements, flux rss, fuentes rss, feeds rss, feed rss
conversation_history: conversation history, aufgezeichnete unterhaltungen, unterhaltungsverlauf, historique des conversations, historial de conversaciones, historico de conversas, gespreksgeschiedenis, cronologia conversazioni
archive: archive, archiv, archivo, arquivo morto, arquivo, archief, archivio
junk: junk email, junk e-mail, courrier indesirable, junk-e-mail, correo no deseado, lixo eletronico, ongewenste e-mail, posta indesiderata
deleted: deleted items, geloschte elemente, elements supprimes, elementos eliminados, itens excluidos, verwijderde items, posta eliminata
notes: notes, notizen, notas, notities, note
history: history, verlauf, historique, historial, historico, geschiedenis, cronologia`

// hideFolder says which folder of that kind a path leads to, "" if none.
func hideFolder(path string) string {
	path = fold(path)
	if i := strings.LastIndexAny(path, `:\/`); i >= 0 {
		path = path[i+1:]
	}
	path = strings.TrimSpace(path)
	for line := range strings.SplitSeq(hideFolders, "\n") {
		kind, names, _ := strings.Cut(line, ": ")
		for name := range strings.SplitSeq(names, ", ") {
			if path == name {
				return kind
			}
		}
	}
	return ""
}
