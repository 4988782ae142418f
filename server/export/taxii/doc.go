// Package taxii serves collections as TAXII 2.1 has it: discovery, one API root,
// collections, manifests, objects and their versions, all of them to be read only.
//
// It knows the resources, media types, parameters and headers of the standard. It must
// not know what is in a collection, who may read it, nor how keys are looked at: a
// Source answers that.
package taxii
