package hunt

import "strings"

// intermediary: programs that sign in for people, as kits that stand between a
// victim and Microsoft do. Failures are no sign: everybody's accounts are tried
// so all day. One session from several addresses, the other sign,
// takes more than one record to see.
func intermediary() *Hunt {
	return &Hunt{
		Name: "intermediary", Title: "A program signed in, as adversaries in the middle do",
		Technique:  "T1557",
		Operations: loginOperations(),
		Where:      func(e *Event) bool { return !e.Interrupted() && !e.Failed() && toolOf(e) != "" },
		Look: func(e *Event) {
			e.State("program", toolOf(e))
			for _, agent := range e.UserAgents {
				e.Observe(Observable{Kind: "user_agent", Value: agent})
			}
		},
		Points:  4,
		Private: "user",
	}
}

// signInTools are programs that no person signs in with.
func signInTools() []string {
	return []string{"axios", "fasthttp", "python-requests", "bav2ropc", "go-http-client", "node-fetch", "undici", "aiohttp", "httpx", "okhttp", "curl/", "got (", "python-urllib", "guzzle"}
}

func toolOf(e *Event) string {
	for _, agent := range e.UserAgents {
		if t := Tool(agent); t != "" {
			return t
		}
	}
	return ""
}

// Tool returns which program for signing in a user agent names, "" if none.
func Tool(agent string) string {
	agent = strings.ToLower(agent)
	for _, tool := range signInTools() {
		if strings.Contains(agent, tool) {
			return strings.Trim(tool, "/( ")
		}
	}
	return ""
}
