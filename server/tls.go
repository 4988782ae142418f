package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// TLS is what connections are secured with, version 1.3 and no other.
type TLS struct {
	// CertFile and KeyFile are the certificate, with what leads to its issuer, and
	// its key, in PEM. Both are read again when they change.
	CertFile, KeyFile string
	// ClientCAFile, in PEM, has the issuers of whom a client has to have a
	// certificate; "" asks clients for none.
	ClientCAFile string
	// Every is how often the files are looked at; 0 is DefaultTLSEvery.
	Every time.Duration
}

// DefaultTLSEvery is how often certificates are looked at for changes.
const DefaultTLSEvery = 5 * time.Second

// certificate is the TLS configuration of now. A nil one is none.
type certificate struct {
	files TLS
	log   *slog.Logger
	watch fileWatch
	now   atomic.Pointer[secured]
}

// secured is one certificate for both protocols.
type secured struct{ grpc, http *tls.Config }

// openCertificate reads the files; without any it returns nil.
func openCertificate(files TLS, log *slog.Logger) (*certificate, error) {
	if (files.CertFile == "") != (files.KeyFile == "") || files.ClientCAFile != "" && files.CertFile == "" {
		return nil, errors.New("TLS: a certificate and its key go together")
	}
	if files.CertFile == "" {
		return nil, nil
	}
	if files.Every == 0 {
		files.Every = DefaultTLSEvery
	}
	c := &certificate{files: files, log: log, watch: fileWatch{files: []string{files.CertFile, files.KeyFile}}}
	if files.ClientCAFile != "" {
		c.watch.files = append(c.watch.files, files.ClientCAFile)
	}
	c.watch.changed()
	config, err := c.read()
	if err != nil {
		return nil, err
	}
	c.now.Store(config)
	return c, nil
}

func (c *certificate) read() (*secured, error) {
	pair, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("TLS: certificate: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}}
	if c.files.ClientCAFile == "" {
		return both(config), nil
	}
	issuers, err := os.ReadFile(c.files.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("TLS: issuers of clients: %w", err)
	}
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(issuers) {
		return nil, fmt.Errorf("TLS: %s holds no certificate", c.files.ClientCAFile)
	}
	return both(config), nil
}

// both returns a configuration for gRPC, and for HTTP, which has an older version.
func both(config *tls.Config) *secured {
	http := config.Clone()
	http.NextProtos = []string{"h2", "http/1.1"}
	return &secured{config, http}
}

// secured secures an HTTP listener.
func (c *certificate) secured(l net.Listener) net.Listener {
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.now.Load().http, nil },
	})
}

// option secures a gRPC server.
func (c *certificate) option() grpc.ServerOption {
	if c == nil {
		return grpc.EmptyServerOption{}
	}
	return grpc.Creds(credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.now.Load().grpc, nil },
	}))
}

// run takes changed files into use until ctx ends. Those that cannot be read leave
// what was there: a certificate that is old still serves, none does not.
func (c *certificate) run(ctx context.Context) {
	if c == nil {
		return
	}
	ticks := time.NewTicker(c.files.Every)
	defer ticks.Stop()
	for said := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		// Files are replaced one after the other, so a pair that does not fit is
		// tried again.
		if !c.watch.changed() && said == "" {
			continue
		}
		config, err := c.read()
		if err != nil {
			if said != err.Error() {
				c.log.WarnContext(ctx, "the certificate in use stays: the files cannot be used", "error", err)
			}
			said = err.Error()
			continue
		}
		said = ""
		c.now.Store(config)
		c.log.InfoContext(ctx, "a changed certificate is in use")
	}
}
