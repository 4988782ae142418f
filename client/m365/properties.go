package m365

import "strings"

// properties reads named values however a service writes them: a list of Name
// and Value (or Key), an object, JSON in a string, or the words of a command.
func properties(v Value) Properties {
	if v.Kind() == Absent || v.Kind() == Null {
		return nil
	}
	v = v.Embedded()
	if v.Kind() == String {
		return commandLine(v.Text())
	}
	var list Properties
	if v.Kind() == Array {
		list = make(Properties, 0, 8)
	}
	for e := range v.Elements() {
		e = e.Embedded()
		switch e.Kind() {
		case Object:
			list = named(list, e)
		case String:
			if name, value, ok := strings.Cut(e.Text(), ":"); ok {
				list = append(list, Property{trim(name), trim(value)})
			} else if s := trim(e.Text()); s != "" {
				list = append(list, Property{Name: s})
			}
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list
}

// named adds one object: a pair, or one property for each key.
func named(list Properties, obj Value) Properties {
	var name, value Value
	others := 0
	for key, v := range obj.Fields() {
		switch {
		case strings.EqualFold(key, "name"), strings.EqualFold(key, "key"), strings.EqualFold(key, "displayName"):
			name = v
		case strings.EqualFold(key, "value"):
			value = v
		default:
			others++
		}
	}
	if name.Kind() == String && (value.Kind() != Absent || others == 0) {
		return append(list, Property{trim(name.Text()), value.Text()})
	}
	for key, v := range obj.Fields() {
		list = append(list, Property{trim(key), v.Text()})
	}
	return list
}

// commandLine reads parameters as the security and compliance cmdlets write
// them: -Name "value" -Other value. Text of another shape is one property
// without a name.
func commandLine(s string) Properties {
	s = trim(s)
	if s == "" || nothing(s) {
		return nil
	}
	if !dash(s, 0) {
		return Properties{{Value: s}}
	}
	var list Properties
	for at := 0; at < len(s); {
		end := strings.IndexAny(s[at+1:], " \t:")
		if end < 0 {
			list = append(list, Property{Name: s[at+1:]})
			break
		}
		end += at + 1
		name, from := s[at+1:end], end+1
		var quoted byte
		next := from
		for ; next < len(s); next++ {
			c := s[next]
			if quoted != 0 {
				if c == quoted {
					quoted = 0
				}
				continue
			}
			if (c == '"' || c == '\'') && (next == from || s[next-1] == ' ' || s[next-1] == ',' || s[next-1] == '(') {
				quoted = c
			} else if (c == '-') && next > 0 && s[next-1] == ' ' && dash(s, next) {
				break
			}
		}
		list = append(list, Property{name, unquote(trim(s[from:next]))})
		at = next
	}
	return list
}

// dash reports whether a parameter's name begins at i.
func dash(s string, i int) bool {
	return i+1 < len(s) && s[i] == '-' && (s[i+1]|0x20 >= 'a' && s[i+1]|0x20 <= 'z')
}

func unquote(s string) string {
	if n := len(s); n >= 2 && (s[0] == '"' || s[0] == '\'') && s[n-1] == s[0] && strings.IndexByte(s[1:n-1], s[0]) < 0 {
		return s[1 : n-1]
	}
	return s
}

// changes reads ModifiedProperties: a list of objects or of bare names.
func changes(v Value) []Change {
	if v.Kind() == Absent || v.Kind() == Null {
		return nil
	}
	v = v.Embedded()
	var list []Change
	for e := range v.Elements() {
		e = e.Embedded()
		switch e.Kind() {
		case Object:
			c := Change{
				Name: trim(firstText(e, "Name", "displayName")),
				Old:  e.Get("OldValue").Text(), New: e.Get("NewValue").Text(),
			}
			if c != (Change{}) {
				list = append(list, c)
			}
		case String:
			for name := range strings.SplitSeq(e.Text(), ",") {
				if name = trim(name); name != "" && !nothing(name) {
					list = append(list, Change{Name: name})
				}
			}
		}
	}
	return list
}

func firstText(v Value, names ...string) string {
	for _, name := range names {
		if s := v.Get(name).Text(); s != "" {
			return s
		}
	}
	return ""
}

// maxList bounds the time that a list without repetitions takes.
const maxList = 1000

// addOnce adds a text that is not empty and not there yet.
func addOnce(list []string, s string) []string {
	if s == "" || len(list) >= maxList {
		return list
	}
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}
