// Package intake reads what others publish, tables of indicators, MISP events and
// STIX bundles, into values with the place where each stands.
//
// It knows these forms and what of our own comes back in them. It must not know
// the store, nor whose tenant the case is in.
package intake
