// Package testdata holds cases as JSON: the two published Microsoft 365 mailbox
// compromises that the demo tells, further cases that were made up around them, and
// pairs of cases that must not be linked; and audit logs, made up for the story, of which the two cases follow.
//
// It knows files and nothing else; reading them is the caller's.
package testdata

import "embed"

// Names within Files of the two published cases. Each file's labels and
// summaries say what in it is the article's and what is ours.
const (
	CaseOne = "m365/alder-2023-0117.json"
	CaseTwo = "m365/birch-2023-0142.json"
)

// Folders within Logs of the audit logs of the two cases. Addresses, names of
// rules and allow-list entries of the intruder are the published ones; tenants,
// people, times and everything else are made up.
const (
	LogsOne = "m365/logs/alder"
	LogsTwo = "m365/logs/birch"
)

// Refs of the two published cases.
const (
	RefOne = "alder/2023-0117"
	RefTwo = "birch/2023-0142"
)

// Files holds the published cases in m365 and, in unlinked, pairs of cases of
// the tenants cedar and dogwood: cedar-X.json and dogwood-X.json have in common
// only what X names, which is too common to link them. In further are cases of
// other tenants that the demo adds where it stays: one of the same actor, one that
// shares a single cloud address, and one that is nobody else's.
//
//go:embed m365/*.json further/*.json unlinked/*.json
var Files embed.FS

// Logs holds the audit logs, a folder a tenant, in every form that exports come
// in: overlapping, in several encodings, compressed, and damaged as people find
// them.
//
//go:embed m365/logs
var Logs embed.FS
