// Package export turns what cases say into what may leave a deployment.
//
// A Selection becomes one neutral Bundle: every value once, decided to be an
// indicator or context, with the reason, checked against what names a victim,
// labelled and dated. Writers, in packages below this one, take a Bundle and
// nothing else, so no format can let out what another would not.
//
// It knows cases, the store, who may read what, and classes. It must not know
// the wire, nor where a bundle goes.
package export
