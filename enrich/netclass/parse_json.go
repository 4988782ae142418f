package netclass

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

var errShape = errors.New("not the JSON that the publisher writes")

// object reads one JSON object, one member at a time: f is called with the key
// and must read the value, or return false to have it skipped.
func object(d *json.Decoder, f func(key string) (bool, error)) error {
	if err := delim(d, '{'); err != nil {
		return err
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		read, err := f(key)
		if err != nil {
			return err
		}
		if !read {
			if err := d.Decode(new(json.RawMessage)); err != nil {
				return err
			}
		}
	}
	return end(d)
}

// array reads a JSON array, one element at a time.
func array[T any](d *json.Decoder, f func(T) error) error {
	if err := delim(d, '['); err != nil {
		return err
	}
	for d.More() {
		var v T
		if err := d.Decode(&v); err != nil {
			return err
		}
		if err := f(v); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

func delim(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("%w: no %v where it belongs", errShape, want)
	}
	return nil
}

// end reads the closing bracket and makes sure that nothing follows.
func end(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return err
	}
	return nothingMore(d)
}

func nothingMore(d *json.Decoder) error {
	switch _, err := d.Token(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	default:
		return fmt.Errorf("%w: more after its end", errShape)
	}
}

func (b *Builder) date(d *json.Decoder, read func(string) string) (bool, error) {
	var s string
	if err := d.Decode(&s); err != nil {
		return true, err
	}
	if day := read(s); day != "" {
		b.feed.info.Date = day
	}
	return true, nil
}

func readAWS(in io.Reader, b *Builder) error {
	type prefix struct {
		V4      string `json:"ip_prefix"`
		V6      string `json:"ipv6_prefix"`
		Region  string `json:"region"`
		Service string `json:"service"`
	}
	d := json.NewDecoder(in)
	return object(d, func(key string) (bool, error) {
		switch key {
		case "createDate": // 2025-07-24-20-23-14
			return b.date(d, dateOf)
		case "prefixes", "ipv6_prefixes":
			return true, array(d, func(p prefix) error {
				e := Entry{Class: CloudVM, Tag: Word(p.Service), Region: Word(p.Region)}
				// AMAZON is the sum of all services.
				if p.Service != "AMAZON" {
					e.Service = e.Tag
				}
				if strings.HasPrefix(p.Service, "CLOUDFRONT") {
					e.Class = CDN
				}
				b.Text(p.V4+p.V6, e)
				return nil
			})
		}
		return false, nil
	})
}

func readAzure(in io.Reader, b *Builder) error {
	type tag struct {
		Name       string `json:"name"`
		Properties struct {
			Region          string   `json:"region"`
			SystemService   string   `json:"systemService"`
			AddressPrefixes []string `json:"addressPrefixes"`
		} `json:"properties"`
	}
	d := json.NewDecoder(in)
	return object(d, func(key string) (bool, error) {
		if key != "values" {
			return false, nil
		}
		return true, array(d, func(t tag) error {
			e := Entry{Tag: Word(t.Name), Region: Word(t.Properties.Region), Service: Word(t.Properties.SystemService)}
			switch {
			case strings.HasPrefix(t.Name, "AzureFrontDoor."):
				e.Class = CDN
			case e.Service != "":
				// Microsoft runs what answers there.
				e.Class = M365Service
			default:
				e.Class = CloudVM
			}
			if _, region, ok := strings.Cut(t.Name, "AzureCloud."); ok {
				e.Region = Word(region)
			}
			for _, p := range t.Properties.AddressPrefixes {
				b.Text(p, e)
			}
			return nil
		})
	})
}

func readGCP(in io.Reader, b *Builder) error {
	type prefix struct {
		V4      string `json:"ipv4Prefix"`
		V6      string `json:"ipv6Prefix"`
		Service string `json:"service"`
		Scope   string `json:"scope"`
	}
	d := json.NewDecoder(in)
	return object(d, func(key string) (bool, error) {
		switch key {
		case "creationTime":
			return b.date(d, dateOf)
		case "prefixes":
			return true, array(d, func(p prefix) error {
				b.Text(p.V4+p.V6, Entry{Class: CloudVM, Tag: Word(p.Service), Region: Word(p.Scope)})
				return nil
			})
		}
		return false, nil
	})
}

func readOracle(in io.Reader, b *Builder) error {
	type region struct {
		Region string `json:"region"`
		CIDRs  []struct {
			CIDR string   `json:"cidr"`
			Tags []string `json:"tags"`
		} `json:"cidrs"`
	}
	d := json.NewDecoder(in)
	return object(d, func(key string) (bool, error) {
		switch key {
		case "last_updated_timestamp":
			return b.date(d, dateOf)
		case "regions":
			return true, array(d, func(r region) error {
				for _, c := range r.CIDRs {
					e := Entry{Class: CloudVM, Tag: Word(strings.Join(c.Tags, " ")), Region: Word(r.Region)}
					// OCI is the customers' part; the rest are Oracle's services.
					if e.Tag != "OCI" {
						e.Service = e.Tag
					}
					b.Text(c.CIDR, e)
				}
				return nil
			})
		}
		return false, nil
	})
}

func readFastly(in io.Reader, b *Builder) error {
	d := json.NewDecoder(in)
	return object(d, func(key string) (bool, error) {
		switch key {
		case "addresses", "ipv6_addresses":
			return true, array(d, func(s string) error {
				b.Text(s, Entry{Class: CDN})
				return nil
			})
		}
		return false, nil
	})
}

func readCloudflare(in io.Reader, b *Builder) error {
	var ranges struct {
		V4 []string `json:"ipv4_cidrs"`
		V6 []string `json:"ipv6_cidrs"`
	}
	d := json.NewDecoder(in)
	err := object(d, func(key string) (bool, error) {
		if key != "result" {
			return false, nil
		}
		return true, d.Decode(&ranges)
	})
	for _, s := range slices.Concat(ranges.V4, ranges.V6) {
		b.Text(s, Entry{Class: CDN})
	}
	return err
}

// readM365 takes ranges and whole names. Patterns such as *.sharepoint.com are
// left out: below them are the names of customers, who may be anybody.
func readM365(in io.Reader, b *Builder) error {
	type set struct {
		Area string   `json:"serviceArea"`
		IPs  []string `json:"ips"`
		URLs []string `json:"urls"`
	}
	d := json.NewDecoder(in)
	err := array(d, func(s set) error {
		e := Entry{Class: M365Service, Tag: Word(s.Area), Service: Word(s.Area)}
		for _, p := range s.IPs {
			b.Text(p, e)
		}
		for _, u := range s.URLs {
			if !strings.Contains(u, "*") {
				b.Exact(u, e)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return nothingMore(d)
}

// maxRegexes bounds the patterns of one list: each costs time at every look-up.
const maxRegexes = 2000

// readWarninglist reads a list of any of the five types. The type may stand
// after the values, so they are kept until the end.
func readWarninglist(in io.Reader, b *Builder, class string) error {
	var kind string
	var values []string
	d := json.NewDecoder(in)
	err := object(d, func(key string) (bool, error) {
		switch key {
		case "type":
			return true, d.Decode(&kind)
		case "version":
			var version json.Number
			if err := d.Decode(&version); err != nil {
				return true, err
			}
			// Most lists are numbered by their day.
			if day, err := time.Parse("20060102", version.String()); err == nil {
				b.feed.info.Date = day.Format(time.DateOnly)
			}
			return true, nil
		case "list":
			return true, array(d, func(s string) error {
				values = append(values, s)
				return nil
			})
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	e := Entry{Class: class}
	for _, s := range values {
		s = strings.TrimSpace(s)
		switch kind {
		case "cidr":
			b.Text(s, e)
		case "hostname":
			b.Name(s, e)
		case "string":
			b.stringOrRange(s, e, b.Exact)
		case "substring":
			// A fragment that is a domain speaks for the names below it; anywhere
			// else in a name it is only shown.
			b.stringOrRange(s, e, func(s string, e Entry) {
				b.Name(s, e)
				b.fragment(s)
			})
		case "regex":
			b.regex(s)
		default:
			return fmt.Errorf("%w: a warninglist of type %q", errShape, Word(kind))
		}
	}
	return nil
}

func (b *Builder) stringOrRange(s string, e Entry, other func(string, Entry)) {
	if _, err := netip.ParseAddr(s); err == nil {
		b.Text(s, e)
		return
	}
	other(s, e)
}

func (b *Builder) fragment(s string) {
	if s = strings.ToLower(s); !b.feed.parts.add(s) {
		b.bad++
	}
}

// regex takes a pattern as MISP writes it, with or without delimiters.
func (b *Builder) regex(s string) {
	if len(s) > 1 && s[0] == '/' {
		if i := strings.LastIndexByte(s, '/'); i > 0 {
			flags := s[i+1:]
			s = s[1:i]
			if strings.Contains(flags, "i") {
				s = "(?i)" + s
			}
		}
	}
	re, err := regexp.Compile(s)
	if err != nil || s == "" || len(s) > 1000 || len(b.feed.regexes) == maxRegexes {
		b.bad++
		return
	}
	b.feed.regexes = append(b.feed.regexes, re)
}
