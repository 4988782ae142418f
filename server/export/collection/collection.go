package collection

import (
	"strings"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
)

// Collection is an offer to one receiver.
type Collection struct {
	// ID differs between receivers; Alias does not.
	ID    export.UUID
	Alias string
	Title string
	// TLP is the label under which all of it may be given on.
	TLP evidence.TLP
	// Actor is the id of the actor that it is about, "" for all cases.
	Actor string

	receiver string
}

// offered are the labels of collections. Nothing is offered as clear: a second lead
// approves of one bundle, and a collection changes by itself.
var offered = []evidence.TLP{evidence.TLPRed, evidence.TLPAmberStrict, evidence.TLPAmber, evidence.TLPGreen}

// OfAll returns the collections of all cases, one a label.
func OfAll(v access.Viewer) []Collection { return of(v, "") }

// OfActor returns those of an actor by its id.
func OfActor(v access.Viewer, id string) []Collection { return of(v, id) }

func of(v access.Viewer, actor string) []Collection {
	// A key is a receiver. It stays one when it is rotated.
	receiver := "collections of " + v.Name()
	out := make([]Collection, len(offered))
	for i, label := range offered {
		c := Collection{TLP: label, Actor: actor, receiver: receiver, Alias: aliasOf(actor, label)}
		c.ID = export.NewUUID(export.Namespace(), "collection", receiver, actor, string(label))
		c.Title = "TLP:" + strings.ToUpper(string(label))
		if actor != "" {
			c.Title = actor + ", " + c.Title
		}
		out[i] = c
	}
	return out
}

// allPrefix begins the aliases of collections of all cases.
const allPrefix = "tlp"

func aliasOf(actor string, label evidence.TLP) string {
	if actor == "" {
		actor = allPrefix
	}
	return actor + "-" + labelName(label)
}

func labelName(label evidence.TLP) string { return strings.ReplaceAll(string(label), "+", "-") }

// CutAlias reads an alias: the id of an actor, "" for all cases, and a label.
func CutAlias(alias string) (actor string, label evidence.TLP, ok bool) {
	for _, label := range offered {
		actor, ok := strings.CutSuffix(alias, "-"+labelName(label))
		if ok && actor == allPrefix {
			return "", label, true
		}
		if ok && strings.HasPrefix(actor, "act-") {
			return actor, label, true
		}
	}
	return "", "", false
}

func (c *Collection) selection() export.Selection {
	return export.Selection{
		All: c.Actor == "", Actor: c.Actor, Standing: true, TLP: c.TLP, Receiver: export.Receiver{Name: c.receiver},
	}
}
