package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Bounds of one delivery.
const (
	maxURL       = 2_000
	dialWithin   = 5 * time.Second
	postWithin   = 15 * time.Second
	maxAnswer    = 64 << 10 // bytes of an answer that are read; none is kept
	idleConns    = 100
	idleConnsEnd = 90 * time.Second
)

// ErrPrivateTarget is why a delivery does not go to an address of this machine or of
// the network around it: whoever names a target would reach what only the server can.
var ErrPrivateTarget = errors.New("the target is not a public address, which this deployment does not allow")

// reserved are networks that no public service has, besides those that netip knows.
// 168.63.129.16 is where a machine of Azure reaches its host, whose answers hold
// certificates and settings of the machine.
func reserved() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "168.63.129.16/32", "240.0.0.0/4", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
		"3fff::/20", "5f00::/16", "fec0::/10",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// public reports whether an address is one of the public internet. What leads to
// another address by way of a gateway (6to4, NAT64, mapped) is judged as private.
func public(a netip.Addr, reserved []netip.Prefix) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// checkURL returns what is wrong with a target, as far as its text says.
func (o Options) checkURL(text string) error {
	fault := func(reason, message string) error {
		return &evidence.InvalidError{Violations: []evidence.Violation{{Path: "webhook.url", Reason: reason, Message: message}}, Total: 1}
	}
	if len(text) > maxURL {
		return fault("TOO_LONG", "at most 2,000 bytes")
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Opaque != "" {
		return fault("MALFORMED", "want an address as https://example.com/path")
	}
	switch {
	case u.User != nil:
		return fault("MALFORMED", "the address holds a user: deliveries are signed, and need no password")
	case u.Fragment != "":
		return fault("MALFORMED", "the address has a fragment, which no server is sent")
	case u.Scheme == "http" && !o.AllowHTTP:
		return fault("NOT_HTTPS", "only https, unless the service is started with --webhook-allow-http")
	case u.Scheme != "https" && u.Scheme != "http":
		return fault("NOT_HTTPS", "only https")
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !o.AllowPrivate && !public(a, reserved()) {
		return fault("NOT_PUBLIC", ErrPrivateTarget.Error())
	}
	return nil
}

// newClient returns a client that goes to no private address, whatever a name leads
// to by the time it is dialled, follows no redirect and asks no proxy.
func (o Options) newClient() *http.Client {
	networks := reserved()
	dialer := &net.Dialer{Timeout: dialWithin}
	if !o.AllowPrivate {
		// Called with the address that is about to be dialled, after the name was
		// looked up: a name that changes between a check and the use does not help.
		dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil || !public(at.Addr(), networks) {
				return ErrPrivateTarget
			}
			return nil
		}
	}
	return &http.Client{
		Timeout: postWithin,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: dialWithin, ResponseHeaderTimeout: postWithin,
			MaxIdleConns: idleConns, IdleConnTimeout: idleConnsEnd, MaxResponseHeaderBytes: maxAnswer, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs},
		},
	}
}

// answerError is an answer that is no success.
type answerError int

func (e answerError) Error() string { return fmt.Sprintf("the target answered %d", int(e)) }

// final reports whether to ask again soon is no use.
func (e answerError) final() bool {
	return e >= 300 && e < 500 && e != http.StatusRequestTimeout && e != http.StatusTooManyRequests
}

// reason is an error without the target, which may hold a secret of its own.
func reason(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
