package m365

import (
	"time"
)

// Account says what became of every row, and how complete the evidence is.
// Rows = Records + Duplicates + Empty + Unreadable, for each file and in sum.
type Account struct {
	Tally
	Files []FileAccount
	// Forms counts rows by form, those unreadable excluded.
	Forms map[Form]int
	// Problems are the first 200, in the order of the evidence; Reasons counts
	// all.
	Problems []Problem
	Reasons  map[Reason]int
	// Operations counts delivered records by folded operation, at most 4,096
	// of them; OtherOperations counts records of the rest.
	Operations      map[string]int
	OtherOperations int
	// First and Last are the earliest and latest time of a delivered record.
	First, Last time.Time
	// Undated counts delivered records without a time.
	Undated int
	// Days are the days between First and Last that have records, in order.
	Days []Day
	// Gaps are the spans of a day or more without a record, at most the 50
	// longest, in order of time.
	Gaps []Gap
	// Fingerprints are what duplicates were found with: their number, and how
	// many of them are in a file.
	Fingerprints, Spilled int
}

// Tally counts rows.
type Tally struct {
	// Bytes are those of the files, before decompression.
	Bytes int64
	Rows  int
	// Records are whole, each once.
	Records    int
	Duplicates int
	// Empty are rows without AuditData, Unreadable those that could not be
	// understood; whatever of both could still be kept was delivered as a
	// partial record and is counted in Kept too.
	Empty, Unreadable int
	Kept              int
}

// FileAccount is the account of one source.
type FileAccount struct {
	Tally
	Name  string
	Forms []Form
	// Truncated says that the file ends within a row, or its compression early.
	Truncated bool
}

// Day counts the delivered records of one day, UTC.
type Day struct {
	Day     time.Time
	Records int
}

// Gap is a span without records, between the hours of the records around it.
type Gap struct {
	From, To time.Time
}

// Problem is a row, or a file, of which something was not understood.
type Problem struct {
	File   string
	Line   int // from 1; 0 when it concerns the whole file
	Number int // the row, from 1; 0 when it concerns the whole file
	Reason Reason
	// Detail says more, without values of the evidence.
	Detail string
}

// Reason is a stable word for what was wrong.
type Reason string

// Reasons.
const (
	ReasonOpen       Reason = "open"         // the file could not be opened or read
	ReasonTruncated  Reason = "truncated"    // the input ends within a row, or its compression early
	ReasonNoAudit    Reason = "no_auditdata" // the row has no AuditData
	ReasonJSON       Reason = "json"         // not JSON, too deep, or too many values
	ReasonTooLong    Reason = "too_long"     // longer than Options.MaxRecord
	ReasonCells      Reason = "cells"        // the row does not fit its header
	ReasonForm       Reason = "form"         // JSON or CSV, but no known form
	ReasonColumns    Reason = "columns"      // more columns than any form has
	ReasonNoRecords  Reason = "no_records"   // the file has no row of any form
	ReasonCompressed Reason = "compressed"   // damaged compression
	ReasonFull       Reason = "full"         // as many rows as the portal writes into one file: there may be more
)
