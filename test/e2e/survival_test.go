package e2e

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// TestEverythingSurvives has a cloud that uses all that gateway hosts do, and takes away one part after the
// other: everything works while it is away, as far as it is not what is asked, and everything works again
// once it is back. A connection that was open before outlives all but the loss of the gateway host.
func TestEverythingSurvives(t *testing.T) {
	c := newCloud(t)
	c.fabric.agent("net2")
	c.api.awaitEvent(t, 10*time.Second, 0, "agent_up", "net2", "")
	if !t.Run("from_the_beginning", func(t *testing.T) { c.works(t, fault{}) }) {
		return
	}
	c.connect(t)
	steps := []struct {
		name string
		run  func(t *testing.T)
	}{
		{"kill_9_of_the_server", func(t *testing.T) {
			c.server.kill()
			t.Run("away", func(t *testing.T) { c.works(t, fault{noServer: true}) })
			c.server.start()
			for _, h := range c.lab.Hosts() {
				c.awaitHost(h.Name)
			}
			c.in(t).active(c.x, c.y, c.z, c.v, c.w)
			t.Run("back", func(t *testing.T) { c.works(t, fault{}) })
			c.lives(t)
		}},
		{"kill_9_of_the_agent", func(t *testing.T) {
			c.agent.kill()
			t.Run("away", func(t *testing.T) { c.works(t, fault{noAgent: true, noServer: true}) })
			c.agent.start()
			c.agent.awaitStart()
			t.Run("back", func(t *testing.T) { c.works(t, fault{}) })
			c.lives(t)
		}},
		{"kill_9_of_ovs_vswitchd", func(t *testing.T) {
			for _, host := range []string{"net1", "cmp1"} {
				ok(t, c.host(host).KillVswitchd(t.Context()))
				ok(t, c.host(host).StartVswitchd(t.Context()))
			}
			t.Run("back", func(t *testing.T) { c.works(t, fault{}) })
			c.lives(t)
			c.in(t).asWanted(10*time.Second, "net1", "cmp1", "net2")
		}},
		{"loss_of_the_gateway_host", func(t *testing.T) {
			ok(t, c.host("net1").Kill())
			c.agent.kill()
			begin := time.Now()
			eventually(t, 60*time.Second, "everything is on net2", func() error {
				made := c.in(t).namespaces("net2")
				if strings.Count(made, "qrouter-") != 2 || strings.Count(made, "qdhcp-") != 4 {
					return errors.New(made)
				}
				return nil
			})
			t.Logf("all namespaces are on net2 after %v", time.Since(begin).Round(100*time.Millisecond))
			t.Run("moved", func(t *testing.T) { c.works(t, fault{}) })
			ok(t, c.host("net1").Boot(t.Context()))
			c.agent.start()
			c.awaitHost("net1")
			t.Run("old_home_is_back", func(t *testing.T) { c.works(t, fault{}) })
			ok(t, wantEqual("namespaces of net1", c.in(t).namespaces("net1"), ""))
			if log, err := os.ReadFile(c.agent.logFile); err != nil || strings.Contains(string(log), "namespace changed") {
				t.Errorf("net1 made what had moved to net2, if for a moment only (%v)", err)
			}
		}},
	}
	for _, s := range steps {
		if !t.Run(s.name, s.run) {
			return
		}
	}
}
