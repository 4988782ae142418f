package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/elsewhere-project/elsewhere/client"
	"github.com/elsewhere-project/elsewhere/server"
)

// keyVariable holds a key, for who has no file.
const keyVariable = "ELSEWHERE_KEY"

// connection is how commands reach the server.
type connection struct {
	server, keyFile    string
	tls                bool
	ca, cert, certsKey string
}

func (c *connection) register(flags *pflag.FlagSet) {
	flags.StringVar(&c.server, "server", cmp.Or(os.Getenv("ELSEWHERE_SERVER"), server.DefaultGRPCAddr),
		"`address` of the server, host:port with an IPv6 address in brackets; default from ELSEWHERE_SERVER")
	flags.StringVar(&c.keyFile, "key-file", "", "`file` with the API key; without it the key is that in "+keyVariable)
	flags.BoolVar(&c.tls, "tls", os.Getenv("ELSEWHERE_TLS") == "1", "connect with TLS; ELSEWHERE_TLS=1 does so too")
	flags.StringVar(&c.ca, "ca", os.Getenv("ELSEWHERE_CA"), "`file` with the issuers to trust in place of the system's, PEM; means --tls; default from ELSEWHERE_CA")
	flags.StringVar(&c.cert, "tls-cert", "", "`file` with a certificate for servers that ask for one, PEM; means --tls")
	flags.StringVar(&c.certsKey, "tls-key", "", "`file` with the key of that certificate, PEM")
}

// commonFlags are the flags of register.
func commonFlags() []string {
	return []string{"server", "key-file", "tls", "ca", "tls-cert", "tls-key"}
}

// dial connects as the flags say.
func (c *connection) dial() (*client.Client, error) {
	// Looked at first: what holds a key is not repeated.
	if strings.Contains(c.server, "els_") {
		return nil, usageError{errors.New("--server holds a key, which others may have seen: revoke it, and give keys by --key-file or " + keyVariable)}
	}
	if _, _, err := net.SplitHostPort(c.server); err != nil {
		return nil, usageError{fmt.Errorf("server %q: want host:port", c.server)}
	}
	var options []client.Option
	key, err := c.key()
	if err != nil {
		return nil, err
	}
	if !key.IsZero() {
		options = append(options, client.WithKey(key))
	}
	if c.secret() {
		config, err := c.config()
		if err != nil {
			return nil, err
		}
		options = append(options, client.WithTLS(config))
	}
	return client.Dial(c.server, options...)
}

// secret reports whether nobody between here and the server reads along by TLS.
func (c *connection) secret() bool { return c.tls || c.ca != "" || c.cert != "" }

func (c *connection) key() (client.Key, error) {
	if c.keyFile != "" {
		return client.ReadKey(c.keyFile)
	}
	text := os.Getenv(keyVariable)
	if text == "" {
		return client.Key{}, nil
	}
	key, err := client.NewKey(text)
	if err != nil {
		return key, fmt.Errorf("%s: %w", keyVariable, err)
	}
	return key, nil
}

func (c *connection) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS13}
	if c.ca != "" {
		pem, err := os.ReadFile(c.ca)
		if err != nil {
			return nil, fmt.Errorf("issuers to trust: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("issuers to trust: %s holds no certificate", c.ca)
		}
	}
	if (c.cert == "") != (c.certsKey == "") {
		return nil, usageError{errors.New("--tls-cert and --tls-key go together")}
	}
	if c.cert != "" {
		pair, err := tls.LoadX509KeyPair(c.cert, c.certsKey)
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
