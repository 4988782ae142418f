// Package git publishes bundles into a repository: as one commit, over plain git
// or through GitHub's API.
//
// It knows which files a publication is made of and how a branch is moved without
// taking back what others put there. It must not know how a format looks, but for
// the feed of MISP, nor what may leave. Secrets are handed in and stand in no
// URL, no error and no argument of a process.
package git
