package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// args makes a check of arguments an error of usage. What the checks of the
// library find is said with the line that is wanted.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil {
			return nil
		}
		if !strings.Contains(err.Error(), "arg(s)") && !strings.HasPrefix(err.Error(), "unknown command") {
			return usageError{err}
		}
		given := "no argument is given"
		if len(args) > 0 {
			given = count(len(args), "argument is given", "arguments are given")
		}
		return usageError{fmt.Errorf("%s: want %s", given, strings.TrimSuffix(cmd.UseLine(), " [flags]"))}
	}
}

// flagError says of a flag what it takes, where the library says how it was read.
func flagError(_ *cobra.Command, err error) error {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return usageError{err}
	}
	flag := invalid.GetFlag()
	want, ok := map[string]string{
		"bool": "true or false", "duration": "a time, as 90s or 24h", "float64": "a number",
		"int": "a whole number", "int64": "a whole number",
		"uint": "a whole number from 0 on", "uint32": "a whole number from 0 on", "uint64": "a whole number from 0 on",
	}[flag.Value.Type()]
	if flag.Name == "log-level" {
		want, ok = "debug, info, warn or error", true
	}
	if !ok {
		return usageError{fmt.Errorf("--%s: %w", flag.Name, invalid.Unwrap())}
	}
	return usageError{fmt.Errorf("--%s %s: want %s", flag.Name, invalid.GetValue(), want)}
}

// unreachable says why no server answers, and what could be done about it. Only
// the text of the error tells the reasons apart: gRPC keeps nothing else of them.
func unreachable(server string, err error) (reason, advice string) {
	text := err.Error()
	switch {
	case strings.Contains(text, "error reading server preface"), strings.Contains(text, "connection reset"):
		return fmt.Sprintf("what listens at %s ended the connection", server), "a server with a certificate wants --tls, or --ca with its issuers"
	case strings.Contains(text, "does not look like a TLS handshake"):
		return fmt.Sprintf("the server at %s speaks without TLS", server), "leave out --tls, --ca and --tls-cert"
	case strings.Contains(text, "x509: "):
		_, cause, _ := strings.Cut(text, "x509: ")
		cause, _, _ = strings.Cut(cause, " (possibly")
		return fmt.Sprintf("the certificate of the server at %s is not trusted: %s", server, strings.TrimRight(cause, `"`)), "--ca names a file with the issuers to trust"
	case strings.Contains(text, "handshake failed"):
		_, cause, _ := strings.Cut(text, "handshake failed: ")
		return fmt.Sprintf("no TLS with the server at %s: %s", server, strings.TrimRight(cause, `"`)), ""
	case strings.Contains(text, "transport: Error while dialing"):
		cause := strings.TrimRight(text[strings.LastIndex(text, ": ")+2:], `"`)
		return fmt.Sprintf("no connection to %s: %s", server, cause), fmt.Sprintf("no server answers at %s; start one with: elsewhere serve", server)
	default:
		return text, fmt.Sprintf("no server answers at %s; start one with: elsewhere serve", server)
	}
}
