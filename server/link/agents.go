package link

import "strings"

// agents are the background shares of user agents: how many unrelated cases have
// one of that nature, whoever else is known to have this very one. Its zero value
// is that of version 1: none counts.
type agents struct {
	// library is of what a program says that nobody gave a name: most campaigns
	// against Microsoft 365 accounts use one of a few (Proofpoint, 2025).
	library float64
	browser float64
}

// agentShare returns the background share of a user agent, 0 if it is of no nature
// that is common.
func (m *Model) agentShare(agent string) float64 {
	if m.agents == (agents{}) {
		return 0
	}
	agent = strings.ToLower(agent)
	if strings.HasPrefix(agent, "mozilla/") {
		return m.agents.browser
	}
	for _, prefix := range libraryAgents() {
		if strings.HasPrefix(agent, prefix) {
			return m.agents.library
		}
	}
	return 0
}

// libraryAgents begin what widely used client libraries and tools send unless told
// otherwise.
func libraryAgents() [20]string {
	return [...]string{
		"aiohttp/", "apache-httpclient/", "axios/", "bav2ropc", "curl/", "dart/", "go-http-client/",
		"got ", "guzzlehttp/", "java/", "libwww-perl/", "node", "okhttp/", "php/", "postmanruntime/",
		"python", "reqwest/", "restsharp/", "undici", "wget/",
	}
}
