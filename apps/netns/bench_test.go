package netns

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/heddle-sdn/heddle/controller/spec"
)

// BenchmarkVerifyRouter reads a router with 200 interfaces and finds nothing to change.
func BenchmarkVerifyRouter(b *testing.B) {
	h := open(b)
	ns := router("qrouter-big", 200)
	n := h.Namespace(ns.Name)
	pass(b, n, ns)
	for b.Loop() {
		if c := pass(b, n, ns); !c.Empty() {
			b.Fatalf("changed: %v %v %v", c.Add, c.Update, c.Delete)
		}
	}
}

// BenchmarkVerifyThousand reads 1,000 namespaces with a link each and finds nothing to change.
func BenchmarkVerifyThousand(b *testing.B) {
	h := open(b)
	const count = 1000
	var all []*spec.Namespace
	for i := range count {
		all = append(all, router(fmt.Sprintf("qdhcp-%d", i), 0))
	}
	each := func(do func(*spec.Namespace)) {
		var wg sync.WaitGroup
		work := make(chan *spec.Namespace)
		for range 2 * runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for ns := range work {
					do(ns)
				}
			})
		}
		for _, ns := range all {
			work <- ns
		}
		close(work)
		wg.Wait()
	}
	each(func(ns *spec.Namespace) { pass(b, h.Namespace(ns.Name), ns) })
	for b.Loop() {
		each(func(ns *spec.Namespace) {
			if c := pass(b, h.Namespace(ns.Name), ns); !c.Empty() {
				b.Errorf("%s changed: %v %v %v", ns.Name, c.Add, c.Update, c.Delete)
			}
		})
	}
}
