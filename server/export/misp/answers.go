package misp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Reason tells one refusal of a server from another. MISP answers 403 to nearly
// all that it refuses; what it means stands in the message.
type Reason uint8

// The reasons.
const (
	ReasonOther      Reason = iota
	ReasonKey               // no key, or a wrong one
	ReasonPermission        // the role of the key may not, or the event is another organisation's
	ReasonBlocked           // the event was deleted there, or is blocked otherwise
	ReasonInvalid           // the event is not valid
	ReasonStale             // not newer than what the server has
	ReasonExists            // add of an event that is there
	ReasonAbsent            // no such event, or not for this key
	ReasonLogin             // sent to the page for logging in: the server did not see an API call
	ReasonRequest           // not JSON, or no event in it
	ReasonEmpty             // publishing an event without attributes
	ReasonBusy              // too many requests, or the server is failing: try again later
)

// String describes the reason for people.
func (r Reason) String() string {
	switch r {
	case ReasonKey:
		return "the server does not know the key"
	case ReasonPermission:
		return "the role of the key may not do this"
	case ReasonBlocked:
		return "the server blocks this event: it was deleted there; an administrator has to take it off the event blocklist"
	case ReasonInvalid:
		return "the server does not take the event"
	case ReasonStale:
		return "the server has a newer version of the event"
	case ReasonExists:
		return "the server has the event already"
	case ReasonAbsent:
		return "the server has no such event, or does not show it"
	case ReasonLogin:
		return "the server answers with its login page: is this the address of the API?"
	case ReasonRequest:
		return "the server could not read the request"
	case ReasonEmpty:
		return "the server publishes no event without attributes"
	case ReasonBusy:
		return "the server is busy or failing"
	}
	return "the server refuses"
}

// Refusal is an answer that is not the one asked for.
type Refusal struct {
	Reason  Reason
	Status  int
	Message string // of the server, one line
}

func (e *Refusal) Error() string {
	text := fmt.Sprintf("%s (%d", e.Reason, e.Status)
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text + ")"
}

// refusal reads an answer other than 200. body is what was read of it, key is what
// must not be in a message.
func refusal(status int, location string, body []byte, key string) *Refusal {
	var said struct {
		Message string          `json:"message"`
		Errors  json.RawMessage `json:"errors"`
	}
	message := ""
	if json.Unmarshal(body, &said) == nil {
		message = said.Message
		if len(said.Errors) > 0 {
			message += ": " + plain(said.Errors)
		}
	}
	if key != "" {
		message = strings.ReplaceAll(message, key, "…")
	}
	return &Refusal{reasonOf(status, location, message), status, oneLine(message, maxMessage)}
}

// maxMessage bounds what is repeated of a server's message, in characters.
const maxMessage = 300

// plain writes an error as people read it: a text without its quotes.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// reasonOf tells refusals apart by what MISP 2.5.1 was recorded to answer.
func reasonOf(status int, location, message string) Reason {
	says := func(part string) bool { return strings.Contains(strings.ToLower(message), part) }
	switch {
	case status == http.StatusFound || status == http.StatusSeeOther:
		return ReasonLogin
	case status == http.StatusTooManyRequests || status >= 500:
		return ReasonBusy
	case status == http.StatusMethodNotAllowed:
		return ReasonRequest
	case status == http.StatusNotFound && location != "":
		return ReasonExists
	case status == http.StatusNotFound:
		return ReasonAbsent
	case status == http.StatusUnauthorized, says("authentication failed"):
		return ReasonKey
	case says("blocklist"), says("blocked by"):
		return ReasonBlocked
	case says("not newer"):
		return ReasonStale
	case says("was empty"), says("empty event"), says("no attributes"):
		return ReasonEmpty
	case says("do not have permission"), says("not authorised"), says("not authorized"):
		return ReasonPermission
	case status == http.StatusForbidden && says("could not"):
		return ReasonInvalid
	}
	return ReasonOther
}
