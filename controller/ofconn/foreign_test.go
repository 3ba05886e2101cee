package ofconn_test

import (
	"strings"
	"testing"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/wire"
	"github.com/heddle-sdn/heddle/internal/ovstest"
)

// foreign are flows that Heddle never makes. Somebody else's flows must neither
// end a session nor change by being written back.
const foreign = `
table=1,priority=1,tun_metadata0=0x1,tun_metadata1=0x2/0xf,tun_gbp_id=3,tun_gbp_flags=1 actions=drop
table=1,priority=2,mpls,mpls_label=5,mpls_bos=1,mpls_tc=2 actions=pop_mpls:0x0800,output:1
table=1,priority=3,xreg0=0x1122334455667788,xxreg1=0x1/0xff,reg7=3/0x7 actions=drop
table=1,priority=4,actset_output=3,pkt_mark=7,metadata=0x5/0xff actions=drop
table=1,priority=5,ct_state=+trk+est,ct_zone=5,ct_nw_src=10.0.0.1,ct_tp_dst=80,tcp actions=drop
table=1,priority=6,ipv6,ipv6_label=0x12345,ipv6_src=2001:db8::/32 actions=drop
table=1,priority=7,icmp6,icmp_type=135,nd_target=fe80::1,nd_sll=aa:bb:cc:dd:ee:ff actions=drop
table=1,priority=8,tcp,tcp_flags=+syn-ack,nw_tos=32,nw_ecn=1,nw_ttl=64 actions=drop
table=1,priority=9,ip,nw_frag=later actions=drop
table=1,priority=11,sctp,tp_dst=100 actions=drop
table=1,priority=10,ip,in_port=1,dl_vlan=5,dl_vlan_pcp=3 actions=set_field:8->ip_dscp,set_queue:3,output:IN_PORT
table=2,priority=1 actions=bundle(eth_src,50,hrw,ofport,members:1,2)
table=2,priority=2 actions=multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[]),push:NXM_NX_REG0[],pop:NXM_NX_REG1[]
table=2,priority=3 actions=sample(probability=12345,collector_set_id=3,obs_domain_id=1,obs_point_id=2)
table=2,priority=4 actions=clone(set_field:0x5->reg0,output:1),exit
table=2,priority=5,ip actions=check_pkt_larger(1400)->NXM_NX_REG0[0],dec_ttl,ct_clear
table=2,priority=6,tcp actions=fin_timeout(idle_timeout=10)
table=2,priority=7,ip actions=ct(commit,zone=NXM_NX_REG6[0..15],nat(src=10.0.0.1-10.0.0.9:100-200,random),exec(set_field:0x1->ct_mark,set_field:0x2/0xf->ct_label))
table=2,priority=8 actions=controller(reason=no_match,max_len=128,id=7,userdata=01.02.03,pause)
table=2,priority=9 actions=write_actions(output:1,set_queue:5),write_metadata:0x5/0xff,goto_table:9
table=2,priority=10 actions=meter:1,enqueue:1:7,set_tunnel64:0x123456789a,note:01.02.03
table=2,priority=11,ip actions=encap(nsh(md_type=1)),set_field:0x11->nsh_spi
table=2,priority=12 actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],load:0x1->NXM_NX_REG3[4..8],resubmit(,3),resubmit(1,4)
`

func TestForeignFlowsAreReadAndWrittenBackUnchanged(t *testing.T) {
	o := ovstest.Start(t)
	o.AddBridge("br0")
	o.AddPort("br0", "p1", 1)
	o.AddPort("br0", "p2", 2)
	o.OFCtl("add-meter", "br0", "meter=1,kbps,band=type=drop,rate=1000")
	o.OFCtl("add-tlv-map", "br0", "{class=0xffff,type=0,len=4}->tun_metadata0,{class=0xffff,type=1,len=4}->tun_metadata1")
	n := 0
	for _, f := range strings.Split(strings.TrimSpace(foreign), "\n") {
		if _, err := o.Run("ovs-ofctl", "-O", "OpenFlow13", "add-flow", "br0", f); err != nil {
			t.Errorf("ovs-ofctl does not take a line of the test: %v", err)
			continue
		}
		n++
	}
	s := receive(t, "session", dial(t, ofconn.Dialer{Network: "unix", Addr: o.MgmtSocket("br0")}))
	ctx := testContext(t)
	stats, err := s.FlowStats(ctx, of.TableAll, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(stats) != n {
		t.Errorf("%d flows, want %d", len(stats), n)
	}
	before := o.OFCtl("dump-flows", "--no-stats", "br0")
	change := ofconn.Change{Purge: []ofconn.Purge{{Table: of.TableAll}}}
	for _, st := range stats {
		// Through the friendly form and back: what is not known stays as bytes.
		f, err := wire.Unpack(st.Key, st.Entry)
		if err != nil {
			t.Errorf("flow %+v: %v", st, err)
			continue
		}
		if again := pack(t, f); again.Key != st.Key || again.Entry != st.Entry {
			t.Errorf("flow %s changes to %s", f, text(again))
		}
		change.Add = append(change.Add, ofconn.Flow{Key: st.Key, Entry: st.Entry})
	}
	if err := s.Commit(ctx, change); err != nil {
		t.Fatal(err)
	}
	if after := o.OFCtl("dump-flows", "--no-stats", "br0"); after != before {
		t.Errorf("after writing back:\n%s\nbefore:\n%s", after, before)
	}
	if err := s.Watch(ctx, ofconn.Monitor{Table: of.TableAll}, func(u wire.MonitorUpdate) {
		if _, err := u.Flow(); err != nil {
			t.Errorf("monitor: %v", err)
		}
	}); err != nil {
		t.Error(err)
	}
}
