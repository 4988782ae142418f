package hunt

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// standardFolders are folders that every mailbox has, in the languages of
// mailboxes.
const standardFolders = `inbox: inbox, posteingang, boite de reception, bandeja de entrada, caixa de entrada, postvak in, posta in arrivo
sent: sent items, gesendete elemente, elements envoyes, elementos enviados, itens enviados, verzonden items, posta inviata, sent
drafts: drafts, entwurfe, brouillons, borradores, rascunhos, concepten, bozze
calendar: calendar, kalender, calendrier, calendario, agenda
purges: purges, deletions, recoverable items, versions`

// folderClass says what kind of folder a path leads to: one of those that every
// mailbox has, or other.
func folderClass(path string) string {
	if kind := hideFolder(path); kind != "" {
		return kind
	}
	path = fold(path)
	if i := strings.LastIndexAny(path, `\/`); i >= 0 {
		path = path[i+1:]
	}
	for line := range strings.SplitSeq(standardFolders, "\n") {
		kind, names, _ := strings.Cut(line, ": ")
		for name := range strings.SplitSeq(names, ", ") {
			if strings.TrimSpace(path) == name {
				return kind
			}
		}
	}
	return "other"
}

// fold returns a text without case and accents.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(s))
}
