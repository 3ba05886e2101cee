package dhcp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/heddle-sdn/heddle/controller/of"
)

// Options of a port are for requests that have all tags of its MAC address, one for each octet. Every
// dnsmasq knows all tags there are from its start, so that options of a port come and go with the
// dhcp-optsfile alone.
//
// The direct way would be that a port's entry in the dhcp-hostsfile sets a tag. But dnsmasq before 2.91
// strings the tags of an entry and those of the request together, and when it reads its files again it
// frees the entry's string to the end, which is not its own: the process dies.

// macTag is the tag of requests whose MAC address has a value at an octet.
func macTag(octet int, value byte) string { return fmt.Sprintf("mac%d-%02x", octet, value) }

// ofMAC is the condition of an option that only the client with a MAC address gets.
func ofMAC(mac of.MAC) string {
	tags := make([]string, len(mac))
	for i, value := range mac {
		tags[i] = "tag:" + macTag(i, value)
	}
	return strings.Join(tags, ",")
}

// macTags is the configuration file that makes dnsmasq give requests the tags of their MAC address.
func macTags() string {
	var b strings.Builder
	for octet := range len(of.MAC{}) {
		for value := range 256 {
			pattern := [len(of.MAC{})]string{"*", "*", "*", "*", "*", "*"}
			pattern[octet] = fmt.Sprintf("%02x", value)
			fmt.Fprintf(&b, "dhcp-mac=set:%s,%s\n", macTag(octet, byte(value)), strings.Join(pattern[:], ":"))
		}
	}
	return b.String()
}

// writeMACTags puts the configuration file of MAC addresses into a directory, unless it is there.
func writeMACTags(dir string) (err error) {
	want, path := macTags(), filepath.Join(dir, filepath.Base(fileMACs))
	have, err := os.ReadFile(path)
	if err == nil && string(have) == want {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("tags of MAC addresses: %w", err)
	}
	// Several may be at it; no dnsmasq may read a part of the file.
	temp, err := os.CreateTemp(dir, ".mac-tags")
	if err == nil {
		_, err = temp.WriteString(want)
		err = errors.Join(err, temp.Close())
	}
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("tags of MAC addresses: %w", err)
	}
	return nil
}
