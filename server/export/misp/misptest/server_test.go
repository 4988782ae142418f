package misptest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/export/misp/misptest"
)

// recorded is a call and what MISP 2.5.1 answered to it. E is the event's UUID,
// and stands for it in bodies and paths.
type recorded struct {
	what, key, method, path, body string
	status                        int
	says                          string // part of the answer
	location                      bool
}

const own, foreign = "1eda47a6-0000-4000-8000-000000000001", "1eda47a6-0000-4000-8000-000000000002"

func event(more string) string {
	return `{"Event":{"uuid":"E","info":"probe","date":"2023-06-30","distribution":"0"` + more + `}}`
}

func attributes(list string) string { return event(`,"Attribute":[` + list + `]`) }

func one(typ, category, value string) string {
	return `{"type":"` + typ + `","category":"` + category + `","value":"` + value + `","to_ids":true}`
}

const login = `{"type":"ip-src","category":"Network activity","value":"104.161.20.102","to_ids":true,"uuid":"4df2bfda-0000-4000-8000-000000000001"}`

// answers are the recorded calls in their order. NEW is another UUID each time.
func answers() []recorded {
	const (
		add, edit = "/events/add", "/events/edit/E"
		network   = "Network activity"
		nobody    = "Authentication failed."
		denied    = "You do not have permission to use this functionality."
	)
	fresh := func(what, body string, status int, says string) recorded {
		return recorded{what, "publisher", "POST", add, strings.ReplaceAll(body, `"E"`, `"NEW"`), status, says, false}
	}
	return []recorded{
		{"version", "publisher", "GET", "/servers/getVersion", "", 200, `"version":"2.5.1"`, false},
		{"no key", "", "POST", add, event(""), 403, nobody, false},
		{"wrong key", "wrong", "POST", add, event(""), 403, nobody, false},
		{"no Accept header", "publisher, no accept", "GET", "/users/view/me", "", 302, "", true},
		{"add", "publisher", "POST", add, event(`,"Attribute":[` + login + `],"Tag":[{"name":"tlp:amber"}]`), 200, `"attribute_count":"1"`, false},
		{"same uuid again", "publisher", "POST", add, event(""), 404, "Event already exists, if you would like to edit it, use the url in the location header.", true},
		{"same uuid, other organisation", "other", "POST", add, event(""), 404, "Event already exists", true},
		{"read-only role", "readonly", "POST", add, event(""), 403, denied, false},
		fresh("role User", event(""), 200, `"published":false`),
		fresh("no wrapper", `{"uuid":"E","info":"probe","date":"2023-06-30"}`, 200, `"info":"probe"`),
		fresh("malformed JSON", `{"Event":`, 405, "Invalid JSON input."),
		fresh("empty object", `{}`, 405, "No valid event data received."),
		fresh("no info", `{"Event":{"date":"2023-06-30"}}`, 403, "Could not add Event"),
		fresh("bad date", `{"Event":{"uuid":"E","info":"probe","date":"30/06/2023"}}`, 403, "Expected date format: YYYY-MM-DD"),
		fresh("bad uuid", `{"Event":{"uuid":"not-a-uuid","info":"probe","date":"2023-06-30"}}`, 403, "Please provide a valid RFC 4122 UUID"),
		fresh("distribution 9", `{"Event":{"uuid":"E","info":"probe","distribution":"9"}}`, 403, "Your organisation only"),
		fresh("bad address", attributes(one("ip-src", network, "1.2.3.999")), 200, `"attribute_count":"0"`),
		fresh("unknown type", attributes(one("nonesuch", network, "x")), 200, `"attribute_count":"0"`),
		fresh("AS in another category that takes it", attributes(one("AS", "Payload delivery", "AS53755")), 200, `"attribute_count":"1"`),
		fresh("defanged", attributes(one("ip-src", network, "104.161.20[.]102")), 200, `"value":"104.161.20.102"`),
		fresh("upper case", attributes(one("domain", network, "Botasso.CL")), 200, `"value":"botasso.cl"`),
		fresh("domain that is a URL", attributes(one("domain", network, "https://botasso.cl/x")), 200, `"attribute_count":"0"`),
		fresh("AS53755", attributes(one("AS", network, "AS53755")), 200, `"value":"53755"`),
		fresh("53755", attributes(one("AS", network, "53755")), 200, `"value":"53755"`),
		fresh("address and port", attributes(one("ip-src|port", network, "1.2.3.4|443")), 200, `"value":"1.2.3.4|443"`),
		fresh("IPv6 in its long form", attributes(one("ip-src", network, "2001:0DB8:0000::0001")), 200, `"value":"2001:db8::1"`),
		fresh("email-subject", attributes(one("email-subject", "Payload delivery", "x")), 200, `"attribute_count":"1"`),
		fresh("empty value", attributes(one("ip-src", network, "")), 200, `"attribute_count":"0"`),
		fresh("first seen", attributes(`{"type":"ip-src","category":"Network activity","value":"9.9.9.1","first_seen":"2023-06-01T00:00:00Z"}`), 200, `"first_seen":"2023-06-01T00:00:00`),
		fresh("first seen, bad", attributes(`{"type":"ip-src","category":"Network activity","value":"9.9.9.2","first_seen":"June"}`), 200, `"attribute_count":"1"`),
		fresh("one value twice", attributes(one("ip-src", network, "8.8.4.4")+","+one("ip-src", network, "8.8.4.4")), 200, `"attribute_count":"1"`),
		fresh("one bad of two", attributes(one("ip-src", network, "7.7.7.7")+","+one("ip-src", network, "nonsense")), 200, `"attribute_count":"1"`),
		fresh("object", event(`,"Object":[{"name":"domain-ip","uuid":"82e75833-0000-4000-8000-000000000001","Attribute":[`+one("ip-dst", network, "185.241.149.122")+","+one("domain", network, "botasso.cl")+`]}]`), 200, `"attribute_count":"2"`),
		fresh("unknown tag", event(`,"Tag":[{"name":"elsewhere:case=\"x\""},{"name":"tlp:red"}]`), 200, `"Tag":[{"colour":"#FFC000","exportable":true,"id":"75","name":"tlp:red"}]`),
		fresh("foreign organisation named", event(`,"Orgc":{"name":"Foreign","uuid":"9283d9ee-0000-4000-8000-000000000001"}`), 200, `"orgc_id":"4"`),
		fresh("published and empty", event(`,"published":true`), 403, "Received a published event that was empty. Event add process blocked."),
		{"view", "publisher", "GET", "/events/view/E", "", 200, `"attribute_count":"1"`, false},
		{"view unknown", "publisher", "GET", "/events/view/" + foreign, "", 404, "Invalid event", false},
		{"view of another organisation's", "other", "GET", "/events/view/E", "", 404, "Invalid event", false},
		{"edit without timestamp", "publisher", "POST", edit, attributes(login + `,` + one("domain", network, "continental-database.com")), 200, `"attribute_count":"2"`, false},
		{"older", "publisher", "POST", edit, event(`,"timestamp":"1795290166"`), 403, "Event in the request not newer than the local copy.", false},
		{"as old", "publisher", "POST", edit, event(`,"timestamp":"1795291166"`), 403, "Event in the request not newer than the local copy.", false},
		{"newer", "publisher", "POST", edit, event(`,"timestamp":"1795291182"`), 200, `"timestamp":"1795291182"`, false},
		{"PUT", "publisher", "PUT", edit, `{"Event":{"info":"put"}}`, 200, `"info":"put"`, false},
		{"missing attributes are kept", "publisher", "GET", "/events/view/E", "", 200, `"attribute_count":"2"`, false},
		{"edit by another organisation", "other", "POST", edit, `{"Event":{"info":"x"}}`, 403, denied, false},
		{"edit unknown", "publisher", "POST", "/events/edit/" + foreign, `{"Event":{"info":"x"}}`, 404, "Invalid event", false},
		{"tag", "publisher", "POST", "/tags/attachTagToObject", `{"uuid":"E","tag":"tlp:green"}`, 200, "successfully attached", false},
		{"unknown tag attached", "publisher", "POST", "/tags/attachTagToObject", `{"uuid":"E","tag":"nonesuch:1"}`, 403, "insufficient privileges to create it", false},
		{"publish as User", "user", "POST", "/events/publish/E", `{}`, 403, denied, false},
		{"publish", "publisher", "POST", "/events/publish/E", `{}`, 200, "Event published without alerts", false},
		{"publish twice", "publisher", "POST", "/events/publish/E", `{}`, 200, "Event published without alerts", false},
		{"publish with GET", "publisher", "GET", "/events/publish/E", "", 500, "An Internal Error Has Occurred.", false},
		{"publish unknown", "publisher", "POST", "/events/publish/" + foreign, `{}`, 404, "Invalid event.", false},
		{"edit without published", "publisher", "POST", edit, `{"Event":{"info":"again"}}`, 200, `"published":false`, false},
		{"delete", "user", "POST", "/events/delete/E", `{}`, 200, "Event deleted.", false},
		{"delete again", "publisher", "POST", "/events/delete/E", `{}`, 403, "Event was not deleted.", false},
		{"add after delete", "publisher", "POST", add, event(""), 403, "Event blocked by event blocklist.", false},
		{"unknown path", "publisher", "GET", "/events/nonesuch", "", 403, denied, false},
	}
}

// TestAnswersAsRecorded asks what was asked of a MISP 2.5.1, in that order, and
// wants the same answers.
func TestAnswersAsRecorded(t *testing.T) {
	s := misptest.New(t)
	keys := map[string]string{
		"publisher": s.Key("4", misptest.Publisher), "user": s.Key("4", misptest.User),
		"readonly": s.Key("4", misptest.ReadOnly), "other": s.Key("5", misptest.Publisher), "wrong": strings.Repeat("x", 40),
	}
	for i, call := range answers() {
		key, noAccept := strings.CutSuffix(call.key, ", no accept")
		uuid := func(s string) string {
			fresh := own[:len(own)-2] + string("0123456789abcdef"[i/16]) + string("0123456789abcdef"[i%16])
			s = strings.ReplaceAll(s, `"NEW"`, `"`+fresh+`"`)
			return strings.ReplaceAll(strings.ReplaceAll(s, `"E"`, `"`+own+`"`), "/E", "/"+own)
		}
		req, err := http.NewRequestWithContext(t.Context(), call.method, s.URL+uuid(call.path), strings.NewReader(uuid(call.body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", keys[key])
		if !noAccept {
			req.Header.Set("Accept", "application/json")
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != call.status || !strings.Contains(string(body), call.says) || (res.Header.Get("Location") != "") != call.location {
			t.Errorf("%s: %d, Location %q, %s; want %d and %q", call.what, res.StatusCode, res.Header.Get("Location"), body, call.status, call.says)
		}
		if len(body) > 0 && !json.Valid(body) {
			t.Errorf("%s: %s is not JSON", call.what, body)
		}
	}
}
