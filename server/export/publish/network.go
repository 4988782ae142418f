package publish

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// ErrPrivate is returned for a target on this machine or in a private network that
// its configuration does not permit.
var ErrPrivate = errors.New("the address of the target is private; its configuration needs allowPrivate")

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// Public reports whether an address is one of the open network.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	carrier := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10)
	return a.IsGlobalUnicast() && !a.IsPrivate() && !a.IsLoopback() && !carrier.Contains(a)
}

// dialer refuses private addresses at the moment of the connection, so that no name
// can be one thing when it is checked and another when it is used.
func dialer(allowPrivate bool) *net.Dialer {
	return &net.Dialer{Timeout: 15 * time.Second, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !allowPrivate && !Public(at.Addr()) {
			return ErrPrivate
		}
		return nil
	}}
}

// httpClient returns a client for a target.
func httpClient(t *Target) (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		b, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, err
		}
		if !pool.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%s has no certificate", t.CAFile)
		}
		config.RootCAs = pool
	}
	return &http.Client{
		Timeout: 10 * time.Minute,
		Transport: &http.Transport{
			DialContext: dialer(t.AllowPrivate).DialContext, TLSClientConfig: config, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: 15 * time.Second, IdleConnTimeout: time.Minute, MaxIdleConns: 4,
		},
	}, nil
}

// allowed looks whether all addresses of a host may be connected to, for the ways
// that have no dialer of ours.
func allowed(t *Target) func(ctx context.Context, host string) error {
	return func(ctx context.Context, host string) error {
		if t.AllowPrivate {
			return nil
		}
		if host == "" {
			return ErrPrivate
		}
		addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return err
		}
		for _, a := range addresses {
			if !Public(a) {
				return ErrPrivate
			}
		}
		return nil
	}
}
