package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/server"
)

// serving is how the service was told to run.
type serving struct {
	server.Config
	logLevel  slog.Level
	logFormat string
	// memoryLimit is the soft limit of the Go runtime, 0 for none.
	memoryLimit byteSize
	// httpChosen says that somebody asked for the HTTP address by name.
	httpChosen bool
}

// The forms of the log.
const (
	formatText = "text"
	formatJSON = "json"
)

func (a *app) serveCommand() *cobra.Command {
	c := serving{memoryLimit: defaultMemoryLimit}
	reserve := byteSize(server.DefaultDiskReserve)
	var about enrichmentFlags
	var who accessFlags
	var encrypted encryptionFlags
	var trail auditFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the service",
		Long: `Run the service until it is interrupted. It then refuses new calls, finishes
those under way and closes the store.

Without keys everybody who reaches the service may read every tenant's cases, so
it listens on loopback only. With --init the first start prints an admin key, once, to
stdout; from then on every call needs a key but those that ask for the health. Beyond
loopback it listens only with keys and with a certificate (TLS 1.3), which is taken up
anew when its files change. All of that goes for gRPC and for HTTP; on loopback HTTP
is without TLS.

Over HTTP everything that gRPC answers is answered in JSON under /v1, with the same
keys; /v1/docs says how. / is the page for analysts, /taxii2/ is for programs that pull
collections. Operators find /healthz and /readyz there and, on loopback
only, /metrics (Prometheus) and /debug/pprof/. The log goes to stderr: at level warn and above every
request that failed, at debug every request, with its id but nothing of its
content. With --log-format json everything on stderr is JSON.

Memory is bounded by a soft limit: near it the runtime collects more often instead
of growing. What the operating system keeps of the store's files is not counted.
On a disk with less than --disk-reserve free, new cases are refused
(RESOURCE_EXHAUSTED, DISK_FULL) until there is room again; reads go on. A store with
more than 256 MiB of tables needs up to 1.1 GiB more, which merging them takes.

With --encryption-key-file or --encryption-key-command the store's files are encrypted
(AES), with data keys that change and that are encrypted with the given one. A store is
that from the beginning; rekey encrypts one that is not.

What addresses and names are comes from data that are part of the program, from the
folder of feeds and from databases of your own; a change of the files is taken up
within seconds. Nothing of a case leaves the machine unless there is a key for
AbuseIPDB and a --tlp-ceiling; then only addresses do.`,
		Example: `  elsewhere serve
  elsewhere serve --data /srv/elsewhere --grpc 127.0.0.1:7431
  elsewhere serve --init --grpc 0.0.0.0:7431 --tls-cert tls.crt --tls-key tls.key
  elsewhere serve --http 0.0.0.0:7432 --tls-cert tls.crt --tls-key tls.key
  elsewhere serve --memory --grpc 127.0.0.1:0 --http 127.0.0.1:0
  elsewhere serve --mmdb GeoLite2-ASN.mmdb --mmdb GeoLite2-City.mmdb
  elsewhere serve --abuseipdb-key-file abuseipdb.key --tlp-ceiling alder=green
  elsewhere serve --encryption-key-command 'vault read -field=key secret/elsewhere'
  elsewhere serve --memory-limit 512MiB --disk-reserve 4GiB
  elsewhere serve --log-format json --trace-endpoint localhost:4317`,
		Args:        args(cobra.NoArgs),
		Annotations: map[string]string{noServer: "", noJSON: ""},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.Memory && c.DataDir != "" {
				return usageError{errors.New("--data and --memory exclude each other")}
			}
			if c.logFormat != formatText && c.logFormat != formatJSON {
				return usageError{fmt.Errorf("log format %q: want %s or %s", c.logFormat, formatText, formatJSON)}
			}
			if err := checkMemoryLimit(c.memoryLimit); err != nil {
				return err
			}
			if reserve == 0 {
				return usageError{errors.New("disk reserve 0: on a full disk the operating system ends the service")}
			}
			if c.Connections < 1 || c.ConnectionsPerAddress < 1 {
				return usageError{errors.New("--max-connections and --max-connections-per-address: want 1 at least")}
			}
			if c.HTTPAddr == "" && (c.WebSessions || len(c.RESTOrigins) > 0) {
				return usageError{errors.New("--web-sessions and --rest-origin mean nothing without --http")}
			}
			var err error
			if c.Enrichment, err = about.enrichment(); err != nil {
				return err
			}
			if c.Access, err = who.access(); err != nil {
				return err
			}
			if c.Encryption, err = encrypted.encryption(); err != nil {
				return err
			}
			if c.Memory && (c.Encryption.KeyFile != "" || c.Encryption.KeyCommand != "") {
				return usageError{errors.New("a store in memory has no files to encrypt")}
			}
			if c.Audit, err = trail.audit(); err != nil {
				return err
			}
			c.DiskReserve = uint64(reserve)
			c.httpChosen = cmd.Flags().Changed("http")
			return a.serve(cmd.Context(), c)
		},
	}
	cmd.Flags().StringVar(&c.DataDir, "data", "", "`folder` of the store; default $XDG_DATA_HOME/elsewhere or ~/.local/share/elsewhere")
	cmd.Flags().BoolVar(&c.Memory, "memory", false, "keep everything in memory and forget it at the end")
	cmd.Flags().StringVar(&c.GRPCAddr, "grpc", server.DefaultGRPCAddr, "`address` to listen on for gRPC; port 0 takes a free one")
	cmd.Flags().StringVar(&c.HTTPAddr, "http", server.DefaultHTTPAddr, "`address` to listen on for REST, health and, on loopback, metrics and profiles; \"\" is none")
	cmd.Flags().StringArrayVar(&c.RESTOrigins, "rest-origin", nil, "`origin` of a site whose pages may use REST, as https://soc.example; may be repeated; default none")
	cmd.Flags().BoolVar(&c.WebSessions, "web-sessions", false, "let people stay signed in to the page, with a cookie, for 12 hours at most")
	cmd.Flags().Var(&c.memoryLimit, "memory-limit", "soft limit for the memory of the process, a `size` as 512MiB, 0 for none; the default holds a bulk load of 20 million sightings; GOMEMLIMIT goes before it")
	cmd.Flags().Var(&reserve, "disk-reserve", "take no cases with less than this `size` free on the disk, besides what merging tables takes")
	cmd.Flags().IntVar(&c.Connections, "max-connections", server.DefaultConnections, "at most this `number` of gRPC connections; what is beyond is closed at once")
	cmd.Flags().IntVar(&c.ConnectionsPerAddress, "max-connections-per-address", server.DefaultConnectionsPerAddress, "at most this `number` of them from one address; give --max-connections behind a proxy")
	about.register(cmd)
	who.register(cmd.Flags())
	cmd.Flags().StringVar(&c.PublishConfig, "publish-config", "", "`file` with the targets of publish and the files of their keys, JSON")
	encrypted.registerRotation(cmd.Flags())
	cmd.Flags().BoolVar(&c.Webhooks.AllowPrivate, "webhook-allow-private", false, "let webhooks post to this machine and to private networks")
	cmd.Flags().BoolVar(&c.Webhooks.AllowHTTP, "webhook-allow-http", false, "let webhooks post without TLS")
	cmd.Flags().StringVar(&c.Producer, "producer", "", "`name` that receivers of exports read as their origin; default Elsewhere")
	trail.register(cmd.Flags())
	cmd.Flags().StringVar(&c.TraceEndpoint, "trace-endpoint", "", "`host:port` of an OpenTelemetry collector (OTLP over gRPC; TLS unless on loopback)")
	cmd.Flags().TextVar(&c.logLevel, "log-level", slog.LevelInfo, "least `level` that is logged: debug, info, warn or error")
	cmd.Flags().Lookup("log-level").DefValue = "info"
	cmd.Flags().StringVar(&c.logFormat, "log-format", formatText, "`form` of the log: text or json")
	return cmd
}

func (a *app) serve(ctx context.Context, c serving) error {
	if !c.Memory {
		var err error
		if c.DataDir, err = dataDir(c.DataDir); err != nil {
			return err
		}
	}
	// What people are told is a line of its own, unless a machine reads along.
	options, say := &slog.HandlerOptions{Level: c.logLevel}, a.warn
	if c.logFormat == formatJSON {
		c.Logger = slog.New(slog.NewJSONHandler(a.stderr, options))
		say = func(format string, args ...any) { c.Logger.InfoContext(ctx, fmt.Sprintf(format, args...)) }
	} else {
		c.Logger = slog.New(slog.NewTextHandler(a.stderr, options))
	}
	limit, restore := limitMemory(c.memoryLimit)
	// The store's own default without a limit, and with the default one.
	c.CacheBytes = int64(c.memoryLimit / cacheShare)
	defer restore()
	s, err := server.Open(ctx, c.Config)
	if _, ok := errors.AsType[*server.HTTPError](err); ok && !c.httpChosen && errors.Is(err, syscall.EADDRINUSE) {
		// A second service on one machine needs another address for gRPC only.
		say("%s is taken: no REST, metrics and health; --http gives another address", c.HTTPAddr)
		c.HTTPAddr = ""
		s, err = server.Open(ctx, c.Config)
	}
	if err != nil {
		return err
	}
	overview, err := s.Overview(ctx)
	if err == nil {
		if key, ok := s.FirstKey(); ok {
			err = a.print(key.Reveal() + "\n")
		}
	}
	if err != nil {
		// Nobody has the key, if there was one; it is made anew with keys recover.
		over, stop := context.WithCancel(ctx)
		stop()
		return errors.Join(err, s.Serve(over))
	}
	info, _ := debug.ReadBuildInfo()
	say("%s", version(info))
	rows := screen(s, &c, overview, limit, time.Now())
	if c.logFormat == formatJSON {
		var attributes []any
		for _, row := range rows {
			attributes = append(attributes, row[0], row[1])
		}
		c.Logger.InfoContext(ctx, "serving", attributes...)
	} else {
		a.warn("%s", strings.TrimSuffix(table([]string{"", ""}, rows), "\n"))
	}
	if err := s.Serve(ctx); err != nil {
		return err
	}
	say("stopped")
	return nil
}

// dataDir returns the given folder, or the one for data of the user.
func dataDir(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	// The specification ignores relative folders in the variable.
	base := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		base = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(base, "elsewhere"), nil
}
