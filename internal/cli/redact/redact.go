// Package redact takes secrets out of what is given away: tokens, passwords, keys, and what tenants gave
// their instances.
//
// It works in two steps, since a secret that is under its name in one place may be quoted without it in
// another: first it learns what is secret from everything, then it removes that everywhere, together with
// what has the form of a secret.
package redact

import (
	"cmp"
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Removed stands in the place of a secret.
const Removed = "(removed)"

// names are members and settings whose values are secret. Those that end with "file" are paths.
var names = regexp.MustCompile(`(?i)(token|passw(or)?d|secret|private[_-]?key|user[_-]?data|public[_-]?keys?|authorization|credential)`)

// profile is what a port carries for its instance: everything in it is taken for secret.
const profile = "binding:profile"

// shortest is the length of the shortest text that is removed wherever it occurs: shorter ones would hit
// what only looks the same.
const shortest = 6

func secret(name string) bool {
	return name == profile || names.MatchString(name) && !strings.HasSuffix(strings.ToLower(name), "file")
}

// Cleaner knows secrets. The zero value knows none yet. It is for one goroutine.
type Cleaner struct {
	values   map[string]bool
	replacer *strings.Replacer // of values; nil after values changed
}

// Secret adds a text that must not be given away, in any of the forms that it may have elsewhere: encoded,
// decoded, or line by line.
func (c *Cleaner) Secret(text string) {
	if c.values == nil {
		c.values = map[string]bool{}
	}
	c.replacer = nil
	c.add(text)
	if plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err == nil && utf8.Valid(plain) {
		c.add(string(plain))
	}
}

func (c *Cleaner) add(text string) {
	text = strings.TrimSpace(text)
	if len(text) < shortest || text == Removed {
		return
	}
	for _, form := range []string{text, base64.StdEncoding.EncodeToString([]byte(text)), base64.RawURLEncoding.EncodeToString([]byte(text)), url.QueryEscape(text)} {
		c.values[form] = true
	}
	for _, m := range named.FindAllStringSubmatch(text, -1) { // "password: x" in what a secret consists of
		if inner := strings.Trim(m[2], `"' `); len(inner) >= shortest {
			c.values[inner] = true
		}
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); len(line) >= 2*shortest {
			c.values[line] = true
		}
	}
}

// Learn finds the secrets of a JSON document.
func (c *Cleaner) Learn(v any) { c.learn(v, false) }

func (c *Cleaner) learn(v any, hidden bool) {
	switch v := v.(type) {
	case string:
		if hidden {
			c.Secret(v)
		}
	case []any:
		for _, x := range v {
			c.learn(x, hidden)
		}
	case map[string]any:
		change := changes(v)
		for k, x := range v {
			c.learn(x, hidden || secret(k) || change && (k == "before" || k == "after"))
		}
	}
}

// changes reports whether a document tells of the change of a secret attribute: {"field", "before", "after"}.
func changes(m map[string]any) bool {
	field, is := m["field"].(string)
	return is && secret(field)
}

// JSON returns a document without secrets. What is left of a secret is that it was there.
func (c *Cleaner) JSON(v any) any {
	switch v := v.(type) {
	case string:
		return c.Text(v)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = c.JSON(x)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		change := changes(v)
		for k, x := range v {
			if secret(k) || change && (k == "before" || k == "after") {
				out[k] = hide(x)
			} else {
				out[k] = c.JSON(x)
			}
		}
		return out
	}
	return v
}

// hide replaces every value by Removed; what is empty stays, since that it is can matter.
func hide(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = Removed
		}
		return out
	case []any:
		if len(v) == 0 {
			return v
		}
	case nil:
		return nil
	case string:
		if v == "" {
			return v
		}
	}
	return Removed
}

// The forms that secrets have in text.
var (
	keyBlock = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)`)
	named    = regexp.MustCompile(`(?i)((?:[a-z0-9_-]*(?:token|passw(?:or)?d|secret|private[_-]?key|user[_-]?data|authorization|credential)[a-z0-9_-]*)["']?\s*[:=]\s*)("[^"\n]*"|'[^'\n]*'|(?:bearer |basic )?[^\s,;}"']+)`)
	digest   = regexp.MustCompile(`sha256:[0-9a-fA-F]{64}`)
	userinfo = regexp.MustCompile(`(://)[^/\s:@"]+:[^/\s@"]+@`)
	publicly = regexp.MustCompile(`(ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-[a-z0-9-]+) [A-Za-z0-9+/=]{20,}`)
)

// Text returns a text, a log or a file of settings say, without secrets.
func (c *Cleaner) Text(s string) string {
	s = keyBlock.ReplaceAllString(s, Removed)
	s = digest.ReplaceAllString(s, Removed)
	s = userinfo.ReplaceAllString(s, "${1}"+Removed+"@")
	s = publicly.ReplaceAllString(s, "${1} "+Removed)
	s = named.ReplaceAllStringFunc(s, func(m string) string {
		parts := named.FindStringSubmatch(m)
		name := strings.ToLower(strings.TrimRight(strings.TrimRight(parts[1], " \t:="), `"'`))
		if strings.HasSuffix(name, "file") {
			return m
		}
		return parts[1] + Removed
	})
	if len(c.values) == 0 {
		return s
	}
	if c.replacer == nil {
		c.replacer = strings.NewReplacer(c.longestFirst()...)
	}
	return c.replacer.Replace(s)
}

// longestFirst are the secrets and what replaces each; one that holds another comes before that, so that it
// is removed as a whole.
func (c *Cleaner) longestFirst() []string {
	values := make([]string, 0, len(c.values))
	for v := range c.values {
		values = append(values, v)
	}
	slices.SortFunc(values, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	out := make([]string, 0, 2*len(values))
	for _, v := range values {
		out = append(out, v, Removed)
	}
	return out
}
