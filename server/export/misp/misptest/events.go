package misptest

import (
	"net/http"
	"slices"
	"strconv"
)

// unwrap returns the event of a request, which may stand without its wrapper.
func unwrap(in sent) sent {
	if inner, ok := in["Event"].(map[string]any); ok {
		return inner
	}
	return in
}

func (s *Server) add(w http.ResponseWriter, r *http.Request, who holder, in sent) {
	if !who.role.Add {
		denied(w, r)
		return
	}
	e := unwrap(in)
	if len(e) == 0 {
		say(w, r, http.StatusMethodNotAllowed, "No valid event data received.", nil)
		return
	}
	uuid := e.text("uuid")
	if s.blocked[uuid] {
		say(w, r, http.StatusForbidden, "Event blocked by event blocklist.", nil)
		return
	}
	if have := s.events[uuid]; have != nil {
		w.Header().Set("Location", s.URL+"/events/"+have.ID)
		say(w, r, http.StatusNotFound, "Event already exists, if you would like to edit it, use the url in the location header.", nil)
		return
	}
	wrong := sent{}
	if e.text("info") == "" {
		wrong["info"] = []string{"valueNotEmpty"}
	}
	if date := e.text("date"); date != "" && !dateForm.MatchString(date) {
		wrong["date"] = []string{"Expected date format: YYYY-MM-DD"}
	}
	if uuid != "" && !uuidForm.MatchString(uuid) {
		wrong["uuid"] = []string{"Please provide a valid RFC 4122 UUID"}
	}
	if d := e.text("distribution"); d != "" && !slices.Contains([]string{"0", "1", "2", "3", "4"}, d) {
		wrong["distribution"] = []string{"Options : Your organisation only, This community only, Connected communities, All communities"}
	}
	if len(wrong) > 0 {
		say(w, r, http.StatusForbidden, "Could not add Event", sent{"saved": false, "errors": sent{"Event": wrong}})
		return
	}
	if e.truth("published") && len(e.list("Attribute")) == 0 && len(e.list("Object")) == 0 {
		say(w, r, http.StatusForbidden, "Could not add Event", sent{
			"saved": false, "errors": sent{"Event": "Received a published event that was empty. Event add process blocked."},
		})
		return
	}
	if uuid == "" {
		uuid = newUUID()
	}
	made := &event{
		ID: strconv.Itoa(s.nextID), UUID: uuid, Org: who.org, Timestamp: s.Now(),
		Published: e.truth("published") && who.role.Publish,
	}
	s.nextID++
	if stamp, ok := e.number("timestamp"); ok {
		made.Timestamp = stamp
	}
	s.events[uuid] = made
	s.apply(made, e)
	reply(w, sent{"Event": s.shown(made)})
}

// apply takes over what an add or an edit says.
func (s *Server) apply(e *event, in sent) {
	for name, field := range map[string]*string{
		"info": &e.Info, "date": &e.Date, "analysis": &e.Analysis, "threat_level_id": &e.Threat,
		"distribution": &e.Distribution, "extends_uuid": &e.Extends,
	} {
		if _, ok := in[name]; ok {
			*field = in.text(name)
		}
	}
	for _, tag := range s.knownTags(in) {
		if !slices.Contains(e.Tags, tag) {
			e.Tags = append(e.Tags, tag)
		}
	}
	for _, sentAttribute := range in.list("Attribute") {
		if a := s.read(sentAttribute, e.Timestamp); a != nil {
			e.Attributes = put(e.Attributes, a)
		}
	}
	for _, sentObject := range in.list("Object") {
		s.object(e, sentObject)
	}
}

func (s *Server) object(e *event, in sent) {
	o := &object{
		UUID: in.text("uuid"), Name: in.text("name"), Meta: in.text("meta-category"), Description: in.text("description"),
		Template: in.text("template_uuid"), Version: in.text("template_version"), Comment: in.text("comment"),
		Deleted: in.truth("deleted"), Timestamp: e.Timestamp,
	}
	if stamp, ok := in.number("timestamp"); ok {
		o.Timestamp = stamp
	}
	if refs, ok := in["ObjectReference"].([]any); ok {
		o.References = refs
	}
	i := slices.IndexFunc(e.Objects, func(have *object) bool { return have.UUID == o.UUID })
	if i >= 0 {
		if o.Timestamp <= e.Objects[i].Timestamp {
			return
		}
		o.Attributes = e.Objects[i].Attributes
	}
	for _, sentAttribute := range in.list("Attribute") {
		if a := s.read(sentAttribute, o.Timestamp); a != nil {
			o.Attributes = put(o.Attributes, a)
		}
	}
	switch {
	case len(o.Attributes) == 0:
	case i >= 0:
		e.Objects[i] = o
	default:
		e.Objects = append(e.Objects, o)
	}
}

func (s *Server) view(w http.ResponseWriter, r *http.Request, who holder, id string) {
	e := s.visible(who, id)
	if e == nil {
		say(w, r, http.StatusNotFound, "Invalid event", nil)
		return
	}
	reply(w, sent{"Event": s.shown(e)})
}

func (s *Server) edit(w http.ResponseWriter, r *http.Request, who holder, id string, in sent) {
	// Also of one that is not shown it is said that it may not be changed.
	e := s.events[id]
	switch {
	case !who.role.Add:
		denied(w, r)
		return
	case e == nil:
		say(w, r, http.StatusNotFound, "Invalid event", nil)
		return
	case e.Org != who.org:
		denied(w, r)
		return
	}
	change := unwrap(in)
	stamp := s.Now()
	if sentStamp, ok := change.number("timestamp"); ok {
		if sentStamp <= e.Timestamp {
			say(w, r, http.StatusForbidden, "Could not edit Event", sent{
				"saved": false, "id": e.ID, "errors": "Event could not be saved: Event in the request not newer than the local copy.",
			})
			return
		}
		stamp = sentStamp
	}
	e.Timestamp = stamp
	// What is not said to be published is not.
	e.Published = change.truth("published") && who.role.Publish
	s.apply(e, change)
	reply(w, sent{"Event": s.shown(e)})
}

func (s *Server) publish(w http.ResponseWriter, r *http.Request, who holder, id string) {
	if r.Method != http.MethodPost {
		say(w, r, http.StatusInternalServerError, "An Internal Error Has Occurred.", nil)
		return
	}
	if !who.role.Publish {
		denied(w, r)
		return
	}
	e := s.visible(who, id)
	if e == nil {
		say(w, r, http.StatusNotFound, "Invalid event.", nil)
		return
	}
	if len(e.Attributes)+len(e.Objects) == 0 {
		say(w, r, http.StatusForbidden, "Event was empty and not published.", nil)
		return
	}
	e.Published, e.PublishTimestamp = true, max(s.Now(), e.Timestamp)
	say(w, r, http.StatusOK, "Event published without alerts", sent{"saved": true, "success": true, "id": e.ID})
}

func (s *Server) delete(w http.ResponseWriter, r *http.Request, who holder, id string) {
	e := s.visible(who, id)
	if e == nil || e.Org != who.org || !who.role.Add {
		say(w, r, http.StatusForbidden, "Could not delete Event", sent{"saved": false, "errors": "Event was not deleted."})
		return
	}
	delete(s.events, e.UUID)
	s.blocked[e.UUID] = true
	say(w, r, http.StatusOK, "Event deleted.", sent{"saved": true, "success": true, "id": e.UUID})
}

// shown is an event as the server shows it: numbers as strings, deleted attributes
// left out.
func (s *Server) shown(e *event) sent {
	count := 0
	attributes := func(list []*attribute) []any {
		out := []any{}
		for _, a := range list {
			if a.Deleted {
				continue
			}
			count++
			out = append(out, sent{
				"id": "20", "type": a.Type, "category": a.Category, "to_ids": a.ToIDs, "uuid": a.UUID, "event_id": e.ID,
				"distribution": "5", "timestamp": number(a.Timestamp), "comment": a.Comment, "sharing_group_id": "0",
				"deleted": false, "disable_correlation": a.NoCorrelation, "object_relation": orNull(a.Relation),
				"first_seen": a.First, "last_seen": a.Last, "value": a.Value, "Tag": tags(a.Tags), "Galaxy": []any{},
			})
		}
		return out
	}
	own := attributes(e.Attributes)
	objects := []any{}
	for _, o := range e.Objects {
		if o.Deleted {
			continue
		}
		objects = append(objects, sent{
			"id": "3", "name": o.Name, "meta-category": o.Meta, "description": o.Description, "template_uuid": o.Template,
			"template_version": o.Version, "event_id": e.ID, "uuid": o.UUID, "timestamp": number(o.Timestamp),
			"distribution": "5", "comment": o.Comment, "deleted": false, "ObjectReference": o.References,
			"Attribute": attributes(o.Attributes),
		})
	}
	org := sent{"id": e.Org, "name": "organisation " + e.Org, "local": true}
	return sent{
		"id": e.ID, "orgc_id": e.Org, "org_id": e.Org, "date": e.Date, "threat_level_id": e.Threat, "info": e.Info,
		"published": e.Published, "uuid": e.UUID, "attribute_count": strconv.Itoa(count), "analysis": e.Analysis,
		"timestamp": number(e.Timestamp), "distribution": e.Distribution, "proposal_email_lock": false, "locked": false,
		"publish_timestamp": number(e.PublishTimestamp), "sharing_group_id": "0", "disable_correlation": false,
		"extends_uuid": e.Extends, "protected": nil, "Org": org, "Orgc": org, "Attribute": own, "ShadowAttribute": []any{},
		"RelatedEvent": []any{}, "Galaxy": []any{}, "Object": objects, "EventReport": []any{}, "CryptographicKey": []any{},
		"Tag": tags(e.Tags),
	}
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func tags(names []string) []any {
	out := []any{}
	for _, name := range names {
		out = append(out, sent{"id": "75", "name": name, "colour": "#FFC000", "exportable": true})
	}
	return out
}
