package world

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// known is what enrichment says in a world. It implements link.Classifier.
type known struct {
	version   string
	addresses map[netip.Addr]link.Class
	names     map[string]string // class by registrable domain
	apps      map[string]bool   // applications that a list knows as everybody's
}

func newKnown(c Config) *known {
	return &known{
		version:   fmt.Sprintf("world %s %d of %d", c.Noise, c.Seed, c.Cases),
		addresses: make(map[netip.Addr]link.Class), names: make(map[string]string), apps: make(map[string]bool),
	}
}

// Version implements link.Classifier.
func (k *known) Version() string { return k.version }

// Class implements link.Classifier.
func (k *known) Class(v evidence.Value) link.Class {
	name := ""
	switch v.Kind {
	case evidence.KindIP:
		a, err := netip.ParseAddr(v.Text)
		if err != nil {
			return link.Class{Name: link.ClassUnknown}
		}
		if class, ok := k.addresses[a]; ok {
			return class
		}
	case evidence.KindAppID:
		if k.apps[v.Text] {
			return link.Class{Name: link.ClassService}
		}
	case evidence.KindDomain, evidence.KindHostname:
		name = v.Text
	case evidence.KindEmail, evidence.KindForwardTo:
		name = v.Text[strings.LastIndexByte(v.Text, '@')+1:]
	case evidence.KindSpoofPair:
		name = v.Text[strings.LastIndexByte(v.Text, '>')+1:]
	case evidence.KindURL:
		_, name, _ = strings.Cut(v.Text, "://")
		name, _, _ = strings.Cut(name, "/")
	}
	if name != "" {
		if class, ok := k.names[evidence.RegistrableDomain(name)]; ok {
			return link.Class{Name: class}
		}
	}
	return link.Class{Name: link.ClassUnknown}
}
