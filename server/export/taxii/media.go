package taxii

import (
	"mime"
	"strconv"
	"strings"
)

// MediaType is that of every answer.
const MediaType = "application/taxii+json;version=2.1"

// stixType is that of the objects in a manifest.
const stixType = "application/stix+json;version=2.1"

// accepts reports whether an Accept header, the values of which are joined by commas,
// takes our media type. One that is not there takes everything.
func accepts(header string) bool {
	if strings.TrimSpace(header) == "" {
		return true
	}
	for part := range strings.SplitSeq(header, ",") {
		kind, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		if q, given := parameters["q"]; given {
			if weight, err := strconv.ParseFloat(q, 64); err != nil || weight <= 0 {
				continue
			}
		}
		if isOurs(kind, parameters) || kind == "*/*" || kind == "application/*" {
			return true
		}
	}
	return false
}

// isTAXII reports whether a Content-Type is one that the standard has for bodies.
func isTAXII(header string) bool {
	kind, parameters, err := mime.ParseMediaType(header)
	return err == nil && isOurs(kind, parameters)
}

func isOurs(kind string, parameters map[string]string) bool {
	version := parameters["version"]
	return kind == "application/taxii+json" && (version == "" || version == "2.1")
}
