// Package abuseipdb asks AbuseIPDB who reported an address (API v2).
//
// It knows the service's answers, its quotas and its ways to fail. It must not
// know tenants or scores: whether an address may be sent at all is decided by the
// Enricher that calls its sources. The key is held in a Key and goes only into the
// header of requests to the configured host; no error repeats what a server said.
//
// What is reported says "bad", not "whose": reports never make a class. The domain
// of a marketplace does, and many reporters make an address one that many share.
package abuseipdb
