package abuseipdb

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/elsewhere-project/elsewhere/enrich"
)

const (
	sourceName      = "abuseipdb"
	blockSourceName = "abuseipdb_block"

	fieldSpace = "address_space"

	// shortestBlock is the widest network that every plan may ask for.
	shortestBlock = 24

	fresh = 24 * time.Hour
	stale = 7 * 24 * time.Hour
)

// SourceNames are the names of the sources, under which their answers are kept.
func SourceNames() []string { return []string{sourceName, blockSourceName} }

// Sources returns the client as sources: one asks about addresses (check), the
// other about networks (check-block).
func (c *Client) Sources() []enrich.Source { return []enrich.Source{addresses{c}, networks{c}} }

// addresses asks check.
type addresses struct{ client *Client }

// About implements enrich.Source.
func (addresses) About() enrich.About {
	return enrich.About{
		Name:  sourceName,
		Kinds: []enrich.Kind{enrich.KindIP},
		Fields: []string{
			enrich.FieldAbuseScore, enrich.FieldReports, enrich.FieldReporters, enrich.FieldLastReport,
			enrich.FieldReportWindow, enrich.FieldWhitelisted, enrich.FieldUsageType, enrich.FieldISP,
			enrich.FieldDomain, enrich.FieldCountry,
		},
		ThirdParty: true, Fresh: fresh, Stale: stale, Timeout: lookupTimeout,
	}
}

// Lookup implements enrich.Source.
func (s addresses) Lookup(ctx context.Context, v enrich.Value, purpose enrich.Purpose) enrich.Answer {
	p, ok := v.Prefix()
	if !ok || !p.IsSingleIP() || enrich.NewScopes().Of(p) != enrich.ScopePublic {
		return enrich.Answer{Detail: "only public addresses are asked about"}
	}
	query := url.Values{"ipAddress": {p.Addr().String()}, "maxAgeInDays": {strconv.Itoa(window)}}
	var got check
	err := s.client.get(ctx, s.client.check, purpose, query, maxLookupBytes, func(r io.Reader) (err error) {
		got, err = readCheck(r, p.Addr())
		return err
	})
	if err != nil {
		return failure(err)
	}
	return got.answer(time.Now())
}

// networks asks check-block.
type networks struct{ client *Client }

// About implements enrich.Source.
func (networks) About() enrich.About {
	return enrich.About{
		Name:  blockSourceName,
		Kinds: []enrich.Kind{enrich.KindCIDR},
		Fields: []string{
			enrich.FieldReportedHosts, enrich.FieldReports, enrich.FieldAbuseScore, enrich.FieldLastReport,
			enrich.FieldReportWindow,
		},
		ThirdParty: true, Fresh: fresh, Stale: stale, Timeout: lookupTimeout,
	}
}

// Lookup implements enrich.Source.
func (s networks) Lookup(ctx context.Context, v enrich.Value, purpose enrich.Purpose) enrich.Answer {
	p, ok := v.Prefix()
	if !ok || !p.Addr().Is4() || p.Bits() < shortestBlock || enrich.NewScopes().Of(p) != enrich.ScopePublic {
		return enrich.Answer{Detail: "only public IPv4 networks of /" + strconv.Itoa(shortestBlock) + " or longer are asked about"}
	}
	query := url.Values{"network": {netip.Prefix.String(p)}, "maxAgeInDays": {strconv.Itoa(window)}}
	var got block
	err := s.client.get(ctx, s.client.block, purpose, query, maxLookupBytes, func(r io.Reader) (err error) {
		got, err = readBlock(r, p)
		return err
	})
	if err != nil {
		return failure(err)
	}
	return got.answer(time.Now())
}

// failure says honestly why there is no answer.
func failure(err error) enrich.Answer {
	if q, ok := errors.AsType[*quotaError](err); ok {
		return enrich.Answer{Status: enrich.Quota, Detail: q.Error(), RetryAt: q.until.UTC()}
	}
	if c, ok := errors.AsType[*callError](err); ok {
		return enrich.Answer{Status: enrich.Error, Detail: c.what, RetryAt: c.until.UTC()}
	}
	if u, ok := errors.AsType[*unsureError](err); ok {
		return enrich.Answer{Status: enrich.Error, Detail: u.Error(), RetryAt: u.until.UTC()}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return enrich.Answer{Status: enrich.Error, Detail: "the question did not get its turn in time"}
	}
	return enrich.Answer{Status: enrich.Error, Detail: "the ledger of the quota cannot be written"}
}
