// Package access decides who may see what.
//
// It knows viewers, and it seals the tokens that a caller carries from page to
// page. Every answer that names a case, a tenant or a count is built through a
// Viewer, where the answer is built and not only at the door. It must not know
// the wire or how links are weighed.
package access
