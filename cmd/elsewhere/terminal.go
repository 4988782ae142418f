package main

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// Widths, in columns, at which strings of others are cut.
const (
	lineWidth    = 100 // of a page
	valueWidth   = 60  // a string among others
	refWidth     = 200 // a string that people copy; the longest ref has 192
	messageWidth = 400
)

// maxMarks is how many combining marks in a row are let through; real words
// have no more, and towers of them run into other lines.
const maxMarks = 2

// safe returns a string that a terminal shows and does not obey: control
// characters, characters that change the direction of text, invisible ones and
// broken UTF-8 are written as escapes. What does not fit into limit columns is
// cut and ends in "…"; a limit of 0 is none.
func safe(s string, limit int) string {
	var out strings.Builder
	columns, marks, kept := 0, 0, 0
	for i, r := range s {
		shown := string(r)
		switch {
		case r == unicode.ReplacementChar && !strings.HasPrefix(s[i:], shown):
			shown = fmt.Sprintf(`\x%02x`, s[i])
		case unicode.Is(unicode.M, r) && !invisible(r):
			if marks++; marks > maxMarks {
				shown = escape(r)
			}
		case !unicode.IsPrint(r) || invisible(r):
			shown = escape(r)
		}
		if !unicode.Is(unicode.M, r) {
			marks = 0
		}
		columns += columnsOf(shown)
		if limit > 0 && columns > limit {
			return out.String()[:kept] + "…"
		}
		out.WriteString(shown)
		if columns < limit { // there is room for the sign
			kept = out.Len()
		}
	}
	return out.String()
}

// invisible reports whether a character that counts as printable shows nothing.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func escape(r rune) string {
	switch {
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	default:
		return fmt.Sprintf(`\U%08x`, r)
	}
}

// columnsOf returns how many columns a terminal needs for a safe string.
func columnsOf(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.Is(unicode.M, r):
		case r >= 0x1100 && wide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

func wide(r rune) bool {
	k := width.LookupRune(r).Kind()
	return k == width.EastAsianWide || k == width.EastAsianFullwidth
}

// left and right fill a string up to a number of columns.
func left(s string, columns int) string { return s + strings.Repeat(" ", max(0, columns-columnsOf(s))) }

func right(s string, columns int) string {
	return strings.Repeat(" ", max(0, columns-columnsOf(s))) + s
}

// table lays out rows in columns, two spaces apart. Columns whose heading begins
// with ">" are set to the right.
func table(heading []string, rows [][]string) string {
	widths := make([]int, len(heading))
	toRight := make([]bool, len(heading))
	first := make([]string, len(heading))
	for i, h := range heading {
		first[i], toRight[i] = strings.CutPrefix(h, ">")
	}
	lines := rows
	if strings.Join(first, "") != "" {
		lines = append([][]string{first}, rows...)
	}
	for _, row := range lines {
		for i, cell := range row {
			widths[i] = max(widths[i], columnsOf(cell))
		}
	}
	var out strings.Builder
	for _, row := range lines {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			if toRight[i] {
				line.WriteString(right(cell, widths[i]))
			} else {
				line.WriteString(left(cell, widths[i]))
			}
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return out.String()
}

// wrap joins phrases with a dot between them into lines that begin with an
// indent. A phrase that is wider than the page is folded.
func wrap(indent string, phrases []string) []string {
	var lines []string
	line := ""
	for _, p := range phrases {
		switch {
		case line == "":
			line = indent + p
		case columnsOf(line)+columnsOf(p)+3 <= lineWidth:
			line += " · " + p
		default:
			lines = append(lines, fold(indent, line)...)
			line = indent + p
		}
	}
	if line != "" {
		lines = append(lines, fold(indent, line)...)
	}
	return lines
}

// fold breaks a line that is wider than the page at its spaces. Every line after
// the first begins with an indent.
func fold(indent, line string) []string {
	var lines []string
	for columnsOf(line) > lineWidth {
		at, columns := 0, 0 // of the last break that fits
		for i, r := range line {
			if r == ' ' && i > len(indent) {
				at = i
			}
			if columns += columnsOf(string(r)); columns > lineWidth {
				if at == 0 {
					at = i
				}
				break
			}
		}
		lines = append(lines, strings.TrimRight(line[:at], " "))
		line = indent + strings.TrimLeft(line[at:], " ")
	}
	return append(lines, line)
}

// style sets off text where colour is wanted.
type style struct{ colour bool }

func (s style) bold(text string) string  { return s.set("1", text) }
func (s style) dim(text string) string   { return s.set("2", text) }
func (s style) green(text string) string { return s.set("32", text) }
func (s style) red(text string) string   { return s.set("31", text) }

func (s style) set(code, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
