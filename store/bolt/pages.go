package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
)

// The file format that bbolt writes (bbolt internal/common: page.go, meta.go, bucket.go), in the byte
// order of the machine.
const (
	pageHeader  = 16 // id u64, flags u16, count u16, overflow u32
	elementSize = 16 // branch: pos u32, ksize u32, page u64; leaf: flags u32, pos u32, ksize u32, vsize u32
	bucketSize  = 16 // root page u64, sequence u64; an inline page follows if root is 0
	metaSize    = 64 // at pageHeader: see readMeta
	maxPageSize = 64 << 10
	minFile     = 4096 // bbolt reads as much to look at the first header

	flagBranch, flagLeaf, flagFreelist = 0x01, 0x02, 0x10

	leafIsBucket = 0x01

	metaMagic   = 0xed0cdaed
	metaVersion = 2
	noFreelist  = 1<<64 - 1
)

var order = binary.NativeEndian

// meta is one of the file's two headers; the valid one with the higher txid counts.
type meta struct {
	pageSize uint64
	root     uint64 // page of the root bucket
	freelist uint64 // page of the free list
	pages    uint64 // number of pages in use or free
	txid     uint64
}

// checker walks a file's pages without trusting any of them. bbolt itself follows what it finds in a
// memory map and, on a damaged file, crashes the process from goroutines of its own, where nobody can
// recover: a file goes to bbolt only after this check.
type checker struct {
	file io.ReaderAt
	size int64
	meta meta
	seen map[uint64]string // what each page is used for
}

// checkPages reports what is wrong with the structure of a file of size bytes; oneHeader says that
// only one of its two headers is valid, and that what it leads to is sound.
func checkPages(file io.ReaderAt, size int64) (oneHeader bool, err error) {
	m, oneHeader, err := readHeaders(file, size)
	if err != nil {
		return false, err
	}
	if uint64(size)/m.pageSize < m.pages || size < minFile {
		return false, fmt.Errorf("file is truncated: %d bytes, its header counts %d pages of %d bytes", size, m.pages, m.pageSize)
	}
	c := &checker{file: file, size: size, meta: m, seen: map[uint64]string{0: "header", 1: "header"}}
	if err := c.freelist(); err != nil {
		return false, err
	}
	if err := c.tree(m.root, nil, nil, 0); err != nil {
		return false, err
	}
	if uint64(len(c.seen)) != m.pages {
		return false, fmt.Errorf("%d of %d pages are neither used nor free", m.pages-uint64(len(c.seen)), m.pages)
	}
	return oneHeader, nil
}

// readHeaders returns the newest valid header. It judges as bbolt does, so that both go by the same one:
// valid is a header with a right checksum, and the first valid one tells the page size, which is the
// distance between the two.
func readHeaders(file io.ReaderAt, size int64) (m meta, one bool, err error) {
	if size == 0 {
		return m, false, errors.New("file is empty")
	}
	first, err0 := readMeta(file, 0)
	if err0 != nil {
		for at := int64(1024); at <= maxPageSize; at *= 2 {
			if m, err := readMeta(file, at); err == nil {
				return m, true, m.check(uint64(at))
			}
		}
		return m, false, fmt.Errorf("both headers are damaged: %w", err0)
	}
	if err := first.check(first.pageSize); err != nil {
		return first, false, err
	}
	second, err1 := readMeta(file, int64(first.pageSize))
	if err1 != nil {
		return first, true, nil
	}
	if second.txid > first.txid {
		return second, false, second.check(first.pageSize)
	}
	return first, false, nil
}

// readMeta reads the header page at an offset.
func readMeta(file io.ReaderAt, at int64) (meta, error) {
	var b [pageHeader + metaSize]byte
	if _, err := file.ReadAt(b[:], at); err != nil {
		return meta{}, fmt.Errorf("read header: %w", err)
	}
	d := b[pageHeader:]
	if magic, version := order.Uint32(d), order.Uint32(d[4:]); magic != metaMagic || version != metaVersion {
		return meta{}, fmt.Errorf("header has magic %#x version %d, not %#x version %d", magic, version, uint32(metaMagic), metaVersion)
	}
	h := fnv.New64a()
	h.Write(d[:56])
	if order.Uint64(d[56:]) != h.Sum64() {
		return meta{}, errors.New("header checksum is wrong")
	}
	return meta{
		pageSize: uint64(order.Uint32(d[8:])),
		root:     order.Uint64(d[16:]),
		freelist: order.Uint64(d[32:]),
		pages:    order.Uint64(d[40:]),
		txid:     order.Uint64(d[48:]),
	}, nil
}

// check refuses a header that has the right checksum and makes no sense.
func (m meta) check(pageSize uint64) error {
	if m.pageSize != pageSize || pageSize < 1024 || pageSize > maxPageSize || pageSize&(pageSize-1) != 0 {
		return fmt.Errorf("header has page size %d", m.pageSize)
	}
	return nil
}

// page reads a page with what overflows from it, and notes that it is used for something.
func (c *checker) page(id uint64, use string, flags ...uint16) ([]byte, error) {
	if id < 2 || id >= c.meta.pages {
		return nil, fmt.Errorf("%s at page %d of %d", use, id, c.meta.pages)
	}
	var head [pageHeader]byte
	if _, err := c.file.ReadAt(head[:], int64(id*c.meta.pageSize)); err != nil {
		return nil, fmt.Errorf("read page %d: %w", id, err)
	}
	span := 1 + uint64(order.Uint32(head[12:]))
	if order.Uint64(head[0:]) != id || !slices.Contains(flags, order.Uint16(head[8:])) || id+span > c.meta.pages {
		return nil, fmt.Errorf("page %d is not the %s that it is used as", id, use)
	}
	for i := id; i < id+span; i++ {
		if err := c.use(i, use); err != nil {
			return nil, err
		}
	}
	b := make([]byte, span*c.meta.pageSize)
	if _, err := c.file.ReadAt(b, int64(id*c.meta.pageSize)); err != nil {
		return nil, fmt.Errorf("read page %d: %w", id, err)
	}
	return b, nil
}

func (c *checker) use(id uint64, what string) error {
	if was, used := c.seen[id]; used {
		return fmt.Errorf("page %d is used as %s and as %s", id, was, what)
	}
	c.seen[id] = what
	return nil
}

// freelist checks the list of free pages: a page in it that is in use would be overwritten.
func (c *checker) freelist() error {
	if c.meta.freelist == noFreelist {
		return errors.New("file has no list of free pages")
	}
	b, err := c.page(c.meta.freelist, "free list", flagFreelist)
	if err != nil {
		return err
	}
	count, ids := uint64(order.Uint16(b[10:])), b[pageHeader:]
	if count == 0xffff { // the real count did not fit and comes first
		count, ids = order.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return fmt.Errorf("free list counts %d pages in %d bytes", count, len(ids))
	}
	for i := range count {
		id := order.Uint64(ids[8*i:])
		if id < 2 || id >= c.meta.pages {
			return fmt.Errorf("free list names page %d of %d", id, c.meta.pages)
		}
		if err := c.use(id, "free"); err != nil {
			return err
		}
	}
	return nil
}

const maxDepth = 64 // of pages and buckets within each other; our files have about 5

// tree checks the pages below a root; its keys must lie from low up to below high, nil for no bound.
func (c *checker) tree(id uint64, low, high []byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("pages are nested deeper than %d", maxDepth)
	}
	b, err := c.page(id, "tree page", flagBranch, flagLeaf)
	if err != nil {
		return err
	}
	if err := c.elements(b, low, high, depth); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// elements checks what a tree page holds.
func (c *checker) elements(b []byte, low, high []byte, depth int) error {
	flags, count := order.Uint16(b[8:]), int(order.Uint16(b[10:]))
	if pageHeader+count*elementSize > len(b) {
		return fmt.Errorf("%d elements do not fit", count)
	}
	if flags == flagBranch && count == 0 {
		return errors.New("branch page without elements")
	}
	keys := make([][]byte, count)
	for i := range count {
		if keys[i] = elementKey(b, i, flags); len(keys[i]) == 0 {
			return fmt.Errorf("element %d does not fit or has no key", i)
		}
		if i > 0 && bytes.Compare(keys[i-1], keys[i]) >= 0 {
			return fmt.Errorf("keys %q and %q are out of order", keys[i-1], keys[i])
		}
	}
	if count > 0 && (low != nil && bytes.Compare(keys[0], low) < 0 || high != nil && bytes.Compare(keys[count-1], high) >= 0) {
		return fmt.Errorf("keys %q to %q lie outside of the page's place", keys[0], keys[count-1])
	}
	for i := range count {
		e := b[pageHeader+i*elementSize:]
		switch {
		case flags == flagBranch:
			next := high
			if i+1 < count {
				next = keys[i+1]
			}
			if err := c.tree(order.Uint64(e[8:]), keys[i], next, depth+1); err != nil {
				return err
			}
		case order.Uint32(e)&leafIsBucket != 0:
			if err := c.bucket(leafValue(e), depth+1); err != nil {
				return fmt.Errorf("bucket %q: %w", keys[i], err)
			}
		}
	}
	return nil
}

// elementKey returns the key of an element, nil if the element reaches out of the page.
func elementKey(b []byte, i int, flags uint16) []byte {
	e := b[pageHeader+i*elementSize:]
	pos, key, value := uint64(order.Uint32(e)), uint64(order.Uint32(e[4:])), uint64(0)
	if flags == flagLeaf {
		pos, key, value = uint64(order.Uint32(e[4:])), uint64(order.Uint32(e[8:])), uint64(order.Uint32(e[12:]))
	}
	if pos < elementSize || pos+key+value > uint64(len(e)) {
		return nil
	}
	return e[pos : pos+key]
}

// leafValue returns the value of a leaf element that elementKey found to fit.
func leafValue(e []byte) []byte {
	from := uint64(order.Uint32(e[4:])) + uint64(order.Uint32(e[8:]))
	return e[from : from+uint64(order.Uint32(e[12:]))]
}

// bucket checks a bucket that is a value in its parent.
func (c *checker) bucket(value []byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("buckets are nested deeper than %d", maxDepth)
	}
	if len(value) < bucketSize {
		return fmt.Errorf("header of %d bytes", len(value))
	}
	if root := order.Uint64(value); root != 0 {
		return c.tree(root, nil, nil, depth)
	}
	inline := value[bucketSize:]
	if len(inline) < pageHeader {
		return fmt.Errorf("inline page of %d bytes", len(inline))
	}
	if order.Uint16(inline[8:]) != flagLeaf {
		return errors.New("inline page is not a leaf")
	}
	return c.elements(inline, nil, nil, depth)
}
