package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/elsewhere-project/elsewhere/server"
)

// accessFlags say who comes in and what is told across tenants. Their names are
// those of serve, where flags for a connection mean nothing.
type accessFlags struct {
	server.Access
	delay string
}

func (f *accessFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.TLS.CertFile, "tls-cert", "", "`file` with the certificate of the service, PEM; taken up anew when it changes")
	flags.StringVar(&f.TLS.KeyFile, "tls-key", "", "`file` with the key of the certificate, PEM")
	flags.StringVar(&f.TLS.ClientCAFile, "client-ca", "", "`file` with the issuers of whom clients have to have a certificate, PEM")
	flags.BoolVar(&f.Init, "init", false, "if there is no key yet, make one for an admin and print it, once")
	flags.BoolVar(&f.ExistsBelowK, "exists-below-k", false, "tell tenants that a value was seen elsewhere also where fewer than 3 others have it")
	flags.StringVar(&f.delay, "disclosure-delay", "day", "when sightings count for tenants: `day` is from the UTC day after they came in, 0 at once")
}

func (f *accessFlags) access() (server.Access, error) {
	switch f.delay {
	case "day":
	case "0":
		f.DiscloseAtOnce = true
	default:
		return f.Access, usageError{fmt.Errorf("disclosure delay %q: want day or 0", f.delay)}
	}
	if (f.TLS.CertFile == "") != (f.TLS.KeyFile == "") {
		return f.Access, usageError{errors.New("--tls-cert and --tls-key go together")}
	}
	if f.TLS.ClientCAFile != "" && f.TLS.CertFile == "" {
		return f.Access, usageError{errors.New("--client-ca goes with --tls-cert")}
	}
	return f.Access, nil
}

// security says how calls come in.
func security(s *server.Server, tls bool) string {
	phrases := []string{"without TLS"}
	if tls {
		phrases[0] = "TLS 1.3"
	}
	if s.HasKeys() {
		phrases = append(phrases, "with keys")
	} else {
		phrases = append(phrases, "without keys: who reaches it reads everything")
	}
	return strings.Join(phrases, ", ")
}

// auditFlags say how the record of what was done is kept.
type auditFlags struct {
	server.Audit
	days uint32
}

func (f *auditFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.SyncReads, "audit-sync-reads", false, "send no answer before it is durable on the audit trail what it tells; else that takes up to a second")
	flags.Uint32Var(&f.days, "audit-retention", 400, "keep the audit trail so many `days` at least; 0 is for ever")
}

// maxRetention is as far back as times go, or twice.
const maxRetention = 36_500

func (f *auditFlags) audit() (server.Audit, error) {
	if f.days > maxRetention {
		return f.Audit, usageError{fmt.Errorf("audit retention %d: want at most 36,500 days, or 0 for ever", f.days)}
	}
	f.Retention = time.Duration(f.days) * 24 * time.Hour
	return f.Audit, nil
}
