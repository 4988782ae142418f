//go:build !elsewhere_leak

package access

// leaks makes the disclosure tell too much. It is off but where the test of two
// worlds is tested.
const leaks = false
