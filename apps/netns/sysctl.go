package netns

import (
	"fmt"
	"os"
	"strings"
)

// dotted is a sysctl's name in sysctl(8)'s form with dots. If the first separator is a slash, dots are
// part of the names of links.
func dotted(name string) string {
	i := strings.IndexAny(name, "./")
	if i < 0 || name[i] == '.' {
		return name
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case '/':
			return '.'
		case '.':
			return '/'
		}
		return r
	}, name)
}

// link is the link that the setting is about, empty if it is about the namespace or about all links.
func (s Sysctl) link() string {
	parts := strings.Split(s.Name, ".")
	if len(parts) < 4 || parts[2] != "conf" && parts[2] != "neigh" || parts[3] == "all" || parts[3] == "default" {
		return ""
	}
	return parts[3]
}

// file is where the setting is, for a thread that is in the namespace: /proc/sys/net shows each thread
// its own.
func (s Sysctl) file() string {
	return "/proc/sys/" + strings.Map(func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}, s.Name)
}

// readSysctl returns a setting in the namespace of the calling thread.
func readSysctl(name string) (Sysctl, error) {
	s := Sysctl{Name: name}
	b, err := os.ReadFile(s.file())
	s.Value = strings.TrimSpace(string(b))
	return s, err
}

func writeSysctl(s Sysctl) error {
	if err := os.WriteFile(s.file(), []byte(s.Value), 0o644); err != nil {
		return fmt.Errorf("sysctl %s=%s: %w", s.Name, s.Value, err)
	}
	return nil
}
