package bolt

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"

	"go.etcd.io/bbolt"

	"github.com/heddle-sdn/heddle/store"
)

const (
	fileName    = "heddle.db"
	lockName    = "heddle.lock"
	snapshotDir = "snapshots"

	formatName    = "heddle"
	schemaVersion = 1 // raised when an older version could not read, or would misread, what this one writes
)

var (
	stateBucket = []byte("heddle")
	stateKey    = []byte("state")
)

// state is the record that seals a file.
type state struct {
	Format  string `json:"format"`
	Schema  int    `json:"schema"`
	Rev     uint64 `json:"rev"`
	Records uint64 `json:"records"`
	Seal    string `json:"seal"` // checksum over the fields above and every record, in hexadecimal
}

// contents is the running sum over the records of a file. The sum does not depend on their order, so
// a commit updates it without reading the others.
type contents struct {
	records uint64
	sum     uint64
}

func (c *contents) add(r store.Record) {
	c.records++
	c.sum += digest(r)
}

func (c *contents) remove(r store.Record) {
	c.records--
	c.sum -= digest(r)
}

// digest is the FNV-1a hash of a record, each part preceded by its length.
func digest(r store.Record) uint64 {
	h := fnv.New64a()
	var size [8]byte
	for _, part := range [][]byte{[]byte(r.Kind), []byte(r.Key), r.Value} {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	return h.Sum64()
}

// sealed returns the state of contents at a revision.
func (c contents) sealed(rev uint64) state {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d %d %d %016x", formatName, schemaVersion, rev, c.records, c.sum)
	return state{
		Format: formatName, Schema: schemaVersion, Rev: rev, Records: c.records,
		Seal: fmt.Sprintf("%016x", h.Sum64()),
	}
}

// readState returns the state record, checked for what can be checked without the records.
func readState(tx *bbolt.Tx) (state, error) {
	b := tx.Bucket(stateBucket)
	if b == nil {
		return state{}, fmt.Errorf("not a heddle data file: it has no bucket %q", stateBucket)
	}
	var s state
	if err := json.Unmarshal(b.Get(stateKey), &s); err != nil {
		return state{}, fmt.Errorf("state record: %w", err)
	}
	if s.Format != formatName {
		return state{}, fmt.Errorf("state record: format is %q, not %q", s.Format, formatName)
	}
	if s.Schema > schemaVersion {
		return state{}, fmt.Errorf("%w: its schema is %d, this version reads up to %d", store.ErrNewerVersion, s.Schema, schemaVersion)
	}
	if s.Schema != schemaVersion {
		return state{}, fmt.Errorf("state record: schema %d is unknown", s.Schema)
	}
	return s, nil
}

func writeState(tx *bbolt.Tx, s state) error {
	b, err := tx.CreateBucketIfNotExists(stateBucket)
	if err != nil {
		return fmt.Errorf("state bucket: %w", err)
	}
	value, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("state record: %w", err)
	}
	if err := b.Put(stateKey, value); err != nil {
		return fmt.Errorf("state record: %w", err)
	}
	return nil
}

// readRecords visits every record and compares the whole with the seal.
func readRecords(tx *bbolt.Tx, each func(store.Record) error) (state, contents, error) {
	s, err := readState(tx)
	if err != nil {
		return s, contents{}, err
	}
	var c contents
	err = tx.ForEach(func(kind []byte, b *bbolt.Bucket) error {
		if string(kind) == string(stateBucket) {
			return nil
		}
		return b.ForEach(func(key, value []byte) error {
			if value == nil {
				return fmt.Errorf("record %s %q is a bucket", kind, key)
			}
			r := store.Record{Kind: string(kind), Key: string(key), Value: value}
			c.add(r)
			return each(r)
		})
	})
	if err != nil {
		return s, c, err
	}
	if want := c.sealed(s.Rev); s != want {
		return s, c, fmt.Errorf("%d records do not match the seal of revision %d (%d records, seal %s, computed %s): contents were altered",
			c.records, s.Rev, s.Records, s.Seal, want.Seal)
	}
	return s, c, nil
}
