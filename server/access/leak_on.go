//go:build elsewhere_leak

package access

const leaks = true
