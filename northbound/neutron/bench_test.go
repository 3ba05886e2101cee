package neutron

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// fill puts n ports on 100 networks into the store of an API.
func fill(b *testing.B, a *api, n int) {
	b.Helper()
	ops, err := l2.New(l2.Config{})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := a.store.Update(b.Context(), func(tx *store.Tx) error {
		var net *model.Network
		for i := range n {
			if i%(n/100) == 0 {
				var err error
				if net, err = ops.CreateNetwork(tx, l2.NetworkCreate{Project: "p", Name: fmt.Sprint("net", i)}); err != nil {
					return err
				}
				if _, err := ops.CreateSubnet(tx, l2.SubnetCreate{Project: "p", Network: net.ID, IPVersion: 4, CIDR: netip.MustParsePrefix("10.0.0.0/16")}); err != nil {
					return err
				}
			}
			mac := of.MAC{0xfa, 0x16, 0x3e, byte(i >> 16), byte(i >> 8), byte(i)}
			if _, err := ops.CreatePort(tx, l2.PortCreate{Project: "p", Network: net.ID, Name: fmt.Sprint("port", i), MAC: l2.Val(mac)}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
}

// percentile sorts the durations and returns the one that p percent do not exceed.
func percentile(took []time.Duration, p int) float64 {
	slices.Sort(took)
	return float64(took[(len(took)-1)*p/100]) / float64(time.Millisecond)
}

// BenchmarkList10kPorts reads a list of 10,000 ports over loopback TCP: all of it, two fields of it, a
// page of it, and one network's.
func BenchmarkList10kPorts(b *testing.B) {
	a := newAPI(b)
	fill(b, a, 10000)
	srv := httptest.NewServer(a.handler)
	defer srv.Close()
	var network string
	for id := range a.store.Snapshot().Networks.All() {
		network = string(id)
	}
	for name, query := range map[string]string{
		"all":     "",
		"fields":  "?fields=id&fields=status",
		"page":    "?limit=100&sort_key=name&sort_dir=asc",
		"network": "?network_id=" + network,
		"device":  "?device_id=none",
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				r, err := srv.Client().Get(srv.URL + "/v2.0/ports" + query)
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, r.Body)
				_ = r.Body.Close()
				if err != nil || r.StatusCode != http.StatusOK {
					b.Fatal(r.Status, err)
				}
				b.SetBytes(n)
				took = append(took, time.Since(start))
			}
			b.ReportMetric(percentile(took, 99), "p99-ms")
		})
	}
}

// BenchmarkPostPort creates ports over loopback TCP; each is durable before the answer.
func BenchmarkPostPort(b *testing.B) {
	for _, ports := range []int{0, 10000} {
		b.Run(fmt.Sprintf("beside_%d", ports), func(b *testing.B) {
			a := newAPI(b)
			if ports > 0 {
				fill(b, a, ports)
			}
			srv := httptest.NewServer(a.handler)
			defer srv.Close()
			network := a.network(`{"name":"n"}`)
			a.subnet(network, "10.0.0.0/8")
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				r, err := srv.Client().Post(srv.URL+"/v2.0/ports", "application/json", strings.NewReader(`{"port":{"network_id":"`+network+`","name":"p"}}`))
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, r.Body)
				_ = r.Body.Close()
				if r.StatusCode != http.StatusCreated {
					b.Fatal(r.Status)
				}
				took = append(took, time.Since(start))
			}
			b.ReportMetric(percentile(took, 50), "median-ms")
			b.ReportMetric(percentile(took, 99), "p99-ms")
		})
	}
}
