package e2e

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestManagementNetworkIsCut cuts one host off its controller while things change. It goes on
// forwarding, the others go on changing, and it catches up when it is back.
func TestManagementNetworkIsCut(t *testing.T) {
	f := newJoinedFabric(t, 4)
	red := f.network("red", "vxlan", "tenant-a", "10.0.22.0/24")
	blue := f.network("blue", "geneve", "tenant-b", "10.0.22.0/24")
	a, b, c := f.vm("a", "net1", red), f.vm("b", "cmp1", red), f.vm("c", "cmp2", red)
	f.active(a, b, c)
	f.allReach(5*time.Second, a, b, c)
	f.asWanted(5*time.Second, "net1", "cmp1", "cmp2")
	p := probeFrom(t, a.VM, b.IP(), 10*time.Millisecond)

	cut := func(state bool) { ok(t, f.host("cmp1").CutManagement(context.WithoutCancel(t.Context()), state)) }
	cut(true)
	begin := time.Now()
	// A network that the cut host does not hold is not held up at all. (Nothing is plugged where the
	// probe passes: Open vSwitch itself loses packets then.)
	d, e := f.vm("d", "cmp3", blue), f.vm("e", "cmp2", blue)
	f.awaitStatus(2*time.Second, "ACTIVE", d, e)
	f.allReach(2*time.Second, d, e)
	// One that it holds passes traffic at once, also to the cut host, and is reported as soon as it is
	// clear that the host does not answer.
	g := f.vm("g", "cmp2", red)
	f.reaches(2*time.Second, g, a.IP())
	f.reaches(2*time.Second, g, b.IP())
	f.awaitStatus(30*time.Second, "ACTIVE", g)
	t.Logf("ports of other hosts became ACTIVE %v after the cut", time.Since(begin).Round(time.Millisecond))
	f.awaitPort(5*time.Second, b.port.ID, "DOWN", "")
	ok(t, c.Delete(t.Context()))
	ok(t, f.api.delete("/v2.0/ports/"+c.port.ID))
	f.reaches(2*time.Second, a, b.IP())

	cut(false)
	f.awaitHost("cmp1")
	f.active(b, g)
	f.asWanted(repairLimit, "net1", "cmp1", "cmp2")
	f.allReach(2*time.Second, a, b, g)
	for _, line := range f.dump("cmp1", "br-tun", "table=20") {
		if strings.Contains(line, c.MAC) && !isLearned(line) {
			t.Errorf("cmp1 still has a flow of the port that was deleted meanwhile: %s", line)
		}
	}
	f.noDrift()
	if sent, lost := p.end(); len(lost) > 0 {
		t.Errorf("%d of %d pings were lost meanwhile", len(lost), sent)
	}
}
