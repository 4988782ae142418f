package rpc

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/collection"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// errNoCollection is returned for a collection that is not there as far as the viewer
// may know.
var errNoCollection = status.Error(codes.NotFound, "no such collection")

// collects returns who asks, and whether there are collections for him.
func (s *Service) collects(ctx context.Context) (access.Viewer, bool, error) {
	viewer, err := access.From(ctx)
	if err == nil && s.shelf == nil {
		err = status.Error(codes.Unimplemented, "this server has no collections")
	}
	return viewer, viewer.May(elsewherev1.ExportService_ListCollectionObjects_FullMethodName), err
}

// ListCollections implements elsewherev1.ExportServiceServer.
func (s *Service) ListCollections(ctx context.Context, req *elsewherev1.ListCollectionsRequest) (*elsewherev1.ListCollectionsResponse, error) {
	res, err := s.listCollections(ctx, req)
	return res, toStatus(ctx, s.log, err)
}

// collectionCursor is where a list of collections ended: behind an actor, and some of
// the collections of the next.
type collectionCursor struct {
	Actors bool
	After  evidence.Ref
	Done   int
}

func (s *Service) listCollections(ctx context.Context, req *elsewherev1.ListCollectionsRequest) (*elsewherev1.ListCollectionsResponse, error) {
	viewer, may, err := s.collects(ctx)
	if err != nil {
		return nil, err
	}
	size, err := pageSize(req.GetPageSize())
	if err != nil {
		return nil, err
	}
	const method = "ListCollections"
	var at collectionCursor
	if err := s.openToken(viewer, req.GetPageToken(), &at, method); err != nil || !may {
		return &elsewherev1.ListCollectionsResponse{}, err
	}
	var res elsewherev1.ListCollectionsResponse_builder
	// add reports whether the page had room for all.
	add := func(some []collection.Collection) (bool, error) {
		for _, c := range some[min(at.Done, len(some)):] {
			if len(res.Collections) == size {
				res.NextPageToken, err = s.sealToken(viewer, at, method)
				return false, err
			}
			res.Collections = append(res.Collections, wireCollection(&c))
			at.Done++
		}
		at.Done = 0
		return true, nil
	}
	if !at.Actors {
		more, err := add(collection.OfAll(viewer))
		if err != nil || !more {
			return res.Build(), err
		}
		at.Actors = true
	}
	if err := s.settled(ctx); err != nil {
		return nil, err
	}
	err = s.view(ctx, func(v access.Viewer, snap graph.Snapshot) error {
		for w, err := range actorViews(ctx, v, snap, at.After, size+1) {
			if err != nil {
				return err
			}
			if more, err := add(collection.OfActor(v, s.key.ActorID(w.founder))); err != nil || !more {
				return err
			}
			at.After = w.place
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return res.Build(), nil
}

func wireCollection(c *collection.Collection) *elsewherev1.Collection {
	return elsewherev1.Collection_builder{
		Id: c.ID.String(), Alias: c.Alias, Title: c.Title, Tlp: string(c.TLP), Actor: c.Actor,
	}.Build()
}

// GetCollection implements elsewherev1.ExportServiceServer.
func (s *Service) GetCollection(ctx context.Context, req *elsewherev1.GetCollectionRequest) (*elsewherev1.GetCollectionResponse, error) {
	_, c, err := s.collection(ctx, req.GetCollection())
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	return elsewherev1.GetCollectionResponse_builder{Collection: wireCollection(c)}.Build(), nil
}

// collection finds a collection by its id or alias.
func (s *Service) collection(ctx context.Context, name string) (access.Viewer, *collection.Collection, error) {
	viewer, may, err := s.collects(ctx)
	if err != nil {
		return viewer, nil, err
	}
	if name == "" {
		return viewer, nil, violation("collection", "REQUIRED", "the id or the alias of a collection is needed")
	}
	if !may {
		return viewer, nil, errNoCollection
	}
	wanted := func(c collection.Collection) bool { return c.Alias == name || c.ID.String() == name }
	if all := collection.OfAll(viewer); slices.ContainsFunc(all, wanted) {
		return viewer, &all[slices.IndexFunc(all, wanted)], nil
	}
	if err := s.settled(ctx); err != nil {
		return viewer, nil, err
	}
	var found *collection.Collection
	err = s.view(ctx, func(v access.Viewer, snap graph.Snapshot) error {
		found, err = s.collectionOfActor(ctx, v, snap, name, wanted)
		return err
	})
	if errors.Is(err, errNoActor) || err == nil && found == nil {
		err = errNoCollection
	}
	return viewer, found, err
}

// collectionOfActor finds a collection of an actor; nil if there is none.
func (s *Service) collectionOfActor(ctx context.Context, v access.Viewer, snap graph.Snapshot, name string, wanted func(collection.Collection) bool) (*collection.Collection, error) {
	if id, label, ok := collection.CutAlias(name); ok {
		_, w, err := actorAt(v, snap, "collection", id)
		if err != nil {
			return nil, err
		}
		// By an alias of the actor it is the collection of the actor.
		of := collection.OfActor(v, s.key.ActorID(w.founder))
		return &of[slices.IndexFunc(of, func(c collection.Collection) bool { return c.TLP == label })], nil
	}
	if _, err := export.ParseUUID(name); err != nil {
		return nil, nil //nolint:nilerr // what is no UUID is no collection
	}
	for w, err := range actorViews(ctx, v, snap, evidence.Ref{}, maxActorsLooked) {
		if err != nil {
			return nil, err
		}
		of := collection.OfActor(v, s.key.ActorID(w.founder))
		if i := slices.IndexFunc(of, wanted); i >= 0 {
			return &of[i], nil
		}
	}
	return nil, nil
}

// maxActorsLooked is among how many actors one is found by the id of a collection; by
// alias each is.
const maxActorsLooked = 100_000

// ListCollectionObjects implements elsewherev1.ExportServiceServer.
func (s *Service) ListCollectionObjects(ctx context.Context, req *elsewherev1.ListCollectionObjectsRequest) (*elsewherev1.ListCollectionObjectsResponse, error) {
	res, err := s.listCollectionObjects(ctx, req)
	return res, toStatus(ctx, s.log, err)
}

func (s *Service) listCollectionObjects(ctx context.Context, req *elsewherev1.ListCollectionObjectsRequest) (*elsewherev1.ListCollectionObjectsResponse, error) {
	size, err := pageSize(req.GetPageSize())
	if err != nil {
		return nil, err
	}
	query, err := queryOf(req)
	if err != nil {
		return nil, err
	}
	viewer, c, err := s.collection(ctx, req.GetCollection())
	if err != nil {
		return nil, err
	}
	query.Limit = size
	// Clients ask for the next page with another limit than for the first.
	const method = "ListCollectionObjects"
	if req.GetPageToken() != "" {
		query.After = new(collection.Place)
		if err := s.openToken(viewer, req.GetPageToken(), query.After, method, c.ID.String()); err != nil {
			return nil, err
		}
	}
	page, err := s.shelf.Page(ctx, viewer, c, query)
	if err != nil {
		return nil, err
	}
	if n := page.Counts.HeldBack; n > 0 && query.After == nil {
		s.log.WarnContext(ctx, "values stay out of a collection, they name a tenant", "collection", c.Alias, "values", n)
	}
	b := elsewherev1.ListCollectionObjectsResponse_builder{Tenants: page.Tenants, Counts: wireExportCounts(page.Counts)}
	for _, h := range page.Held {
		b.HeldBack = append(b.HeldBack, elsewherev1.HeldBack_builder{Field: h.Field, Reason: h.Reason}.Build())
	}
	for i := range page.Objects {
		o := &page.Objects[i]
		one := elsewherev1.CollectionObject_builder{
			Id: o.ID, Type: o.Type, Version: toTimestamp(o.Version), AddTime: toTimestamp(o.Added), Stix: string(o.JSON),
		}
		if req.GetOmitStix() {
			one.Stix = ""
		}
		b.Objects = append(b.Objects, one.Build())
	}
	if page.Next != nil {
		if b.NextPageToken, err = s.sealToken(viewer, page.Next, method, c.ID.String()); err != nil {
			return nil, err
		}
	}
	return b.Build(), nil
}

// maxWanted bounds each list of what is wanted of a collection.
const maxWanted = 100

// queryOf reads what is wanted of a collection.
func queryOf(req *elsewherev1.ListCollectionObjectsRequest) (collection.Query, error) {
	q := collection.Query{
		AddedAfter: fromTimestamp(req.GetAddedAfter()), IDs: slices.Clone(req.GetIds()), Types: req.GetTypes(), SpecVersions: req.GetSpecVersions(),
	}
	for _, list := range []struct {
		name  string
		given []string
	}{{"ids", q.IDs}, {"types", q.Types}, {"versions", req.GetVersions()}, {"spec_versions", q.SpecVersions}} {
		if len(list.given) > maxWanted {
			return q, violation(list.name, "TOO_MANY", "at most 100")
		}
	}
	slices.Sort(q.IDs)
	q.IDs = slices.Compact(q.IDs)
	for _, version := range req.GetVersions() {
		switch version {
		case "first", "last", "all":
			q.AnyVersion = true
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, version)
		if err != nil {
			return q, violation("versions", "MALFORMED", "first, last, all, or a time as in 2026-11-22T10:00:00.123Z")
		}
		q.Versions = append(q.Versions, at)
	}
	return q, nil
}
