// Package observe lets an operator see how the service does: metrics, traces,
// the id of a request in every line of the log, and the pages that show them.
//
// It knows methods, status codes, durations, sizes and counts. It must not know
// what a request says: no message, tenant, case or value reaches a label, a span
// or a line that is written here.
package observe
