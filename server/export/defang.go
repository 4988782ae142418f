package export

import "strings"

// Defang writes a value so that no program makes a link of it, as in
// hxxps://example[.]com; what reads evidence reads it back.
func Defang(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if ok {
		scheme = strings.Replace(scheme, "tt", "xx", 1) + "://"
	} else {
		scheme, rest = "", s
	}
	host, path, slash := strings.Cut(rest, "/")
	host = strings.NewReplacer(".", "[.]", "@", "[@]").Replace(host)
	if strings.Count(host, ":") > 1 {
		host = strings.ReplaceAll(host, ":", "[:]")
	}
	if slash {
		host += "/"
	}
	return scheme + host + path
}
