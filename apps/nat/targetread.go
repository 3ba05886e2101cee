package nat

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/heddle-sdn/heddle/internal/child"
)

// stamp is the state of all tables of a namespace, as far as it can be told without listing them: which
// namespace it is, and how many transactions it has seen.
type stamp struct {
	inode      uint64
	generation uint32
}

// read returns our table of a namespace, and whether there is one. The error is fs.ErrNotExist if there
// is no such namespace.
func (t *Target) read(ctx context.Context, name string) (Table, bool, error) {
	// The stamp comes first: if something changes while nft lists, the next reading sees another stamp.
	now, err := readStamp(t.path(name))
	if err != nil {
		return Table{}, false, err
	}
	t.mu.Lock()
	r, ok := t.seen[name]
	t.mu.Unlock()
	if ok && r.stamp == now && time.Since(r.at) < readingAge {
		return r.table, r.exist, nil
	}
	r = reading{stamp: now, at: time.Now()}
	if r.table, r.exist, err = t.list(ctx, name); err != nil {
		return Table{}, false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen[name] = r
	return r.table, r.exist, nil
}

// edit changes elements of a table in one transaction, after which its sets are as told. If that was the
// only transaction since the table was read, the table need not be listed again.
func (t *Target) edit(ctx context.Context, name, script string, now elements) error {
	if _, err := t.nft(ctx, name, script, "-f", "-"); err != nil {
		return err
	}
	after, err := readStamp(t.path(name))
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.seen[name]
	if r.exist && after == (stamp{inode: r.stamp.inode, generation: r.stamp.generation + 1}) {
		rules := *r.table.rules
		rules.sets = now
		r.table.rules, r.stamp = &rules, after
		t.seen[name] = r
	}
	return nil
}

// list asks nft for our table of a namespace.
func (t *Target) list(ctx context.Context, name string) (Table, bool, error) {
	text, err := t.nft(ctx, name, "", "-ns", "list", "table", Family, TableName)
	if err != nil {
		// Only nft's words tell that the table is not there; ask in a way that cannot fail for that.
		tables, err2 := t.nft(ctx, name, "", "list", "tables", Family)
		if err2 == nil && !strings.Contains(tables+"\n", "table "+Family+" "+TableName+"\n") {
			return Table{}, false, nil
		}
		return Table{}, false, err
	}
	_, body, _ := strings.Cut(text, "{\n")
	body = body[:max(0, strings.LastIndex(body, "}"))]
	rules, err := parse(body)
	if err != nil {
		return Table{}, false, fmt.Errorf("read what nft lists: %w", err)
	}
	return Table{rules: rules}, true, nil
}

// nft runs nft in a namespace and returns what it prints.
func (t *Target) nft(ctx context.Context, name, input string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, "nft", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errs
	if err := child.InNamespace(t.path(name), cmd.Start); err != nil {
		return "", err
	}
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", fmt.Errorf("nft: %w%s", err, said(errs.String()))
	}
	return out.String(), nil
}

// said is what nft printed, as the tail of an error text.
func said(text string) string {
	const most = 500 // bytes; nft quotes the input, which may be long
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return ""
	}
	return ": " + text[:min(len(text), most)]
}

// readStamp returns the stamp of the namespace at path.
func readStamp(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	var s stamp
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = st.Ino
	}
	var c *netlink.Conn
	err = child.InNamespace(path, func() (err error) {
		c, err = netlink.Dial(unix.NETLINK_NETFILTER, nil)
		return err
	})
	if err != nil {
		return stamp{}, fmt.Errorf("open netlink: %w", err)
	}
	defer c.Close()
	s.generation, err = generation(c)
	if err != nil {
		return stamp{}, fmt.Errorf("read generation of nftables: %w", err)
	}
	return s, nil
}

// generation asks how many transactions nftables has seen (NFT_MSG_GETGEN, linux/netfilter/nf_tables.h).
func generation(c *netlink.Conn) (uint32, error) {
	answers, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETGEN, Flags: netlink.Request},
		Data:   make([]byte, nfgenmsg),
	})
	if err != nil {
		return 0, err
	}
	for _, a := range answers {
		if len(a.Data) < nfgenmsg {
			continue
		}
		attrs, err := netlink.NewAttributeDecoder(a.Data[nfgenmsg:])
		if err != nil {
			return 0, err
		}
		for attrs.Next() {
			if attrs.Type() == unix.NFTA_GEN_ID && len(attrs.Bytes()) == 4 {
				return be32(attrs.Bytes()), nil
			}
		}
		if attrs.Err() != nil {
			return 0, attrs.Err()
		}
	}
	return 0, fmt.Errorf("no answer")
}

// nfgenmsg is the size of struct nfgenmsg, which begins every message of netfilter.
const nfgenmsg = 4

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
