package nat_test

import (
	"fmt"
	"testing"
	"time"
)

// many gives the first router as many floating IPs as asked for, beside the one of vm1.
func (l *lab) many(n int) {
	s := l.want[r1]
	for i := range n {
		s.floatingIP(fmt.Sprintf("198.18.%d.%d", i/250, i%250+1), fmt.Sprintf("172.16.%d.%d", i/250, i%250+1))
	}
	l.want[r1] = s
	l.floatingIP(r1, "198.51.100.11", "10.0.0.11")
}

func TestTenThousandFloatingIPsAreOneLookUp(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	l := newLab(t)
	l.many(10000)
	start := time.Now()
	l.apply()
	t.Logf("10,000 floating IPs from nothing, and checked again: %v", time.Since(start))
	l.serve("vm1", ":7000")
	l.serve("vm2", ":7000")
	first := l.expect("out", "198.51.100.11:7000", "vm1 sees 198.51.100.1")
	l.floatingIP(r1, "198.51.100.12", "10.0.0.12")
	start = time.Now()
	if _, err := l.pass(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	t.Logf("one more: %v", took)
	l.expect("out", "198.51.100.12:7000", "vm2 sees 198.51.100.1")
	l.alive(first, "vm1 sees 198.51.100.1")
	if took > 2*time.Second {
		t.Errorf("one more floating IP took %v", took)
	}
}

// BenchmarkFloatingIP is a pass that gives a router one more floating IP, or takes it away.
func BenchmarkFloatingIP(b *testing.B) {
	for _, others := range []int{1, 10000} {
		b.Run(fmt.Sprintf("beside %d", others), func(b *testing.B) {
			l := newLab(b)
			l.many(others)
			l.apply()
			for i := 0; b.Loop(); i++ {
				if i%2 == 0 {
					l.floatingIP(r1, "198.51.100.12", "10.0.0.12")
				} else {
					l.takeAway(r1, "198.51.100.12")
				}
				if _, err := l.pass(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkConnect is a TCP connection from outside to a floating IP, with its first answer.
func BenchmarkConnect(b *testing.B) {
	for _, others := range []int{0, 10000} {
		b.Run(fmt.Sprintf("beside %d", others), func(b *testing.B) {
			l := newLab(b)
			l.many(others)
			l.apply()
			l.serve("vm1", ":7000")
			for b.Loop() {
				s, err := l.dial("out", "198.51.100.11:7000")
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.ask(time.Second); err != nil {
					b.Fatal(err)
				}
				s.Close()
			}
		})
	}
}

// BenchmarkPassWithoutChange reads both tables and finds nothing to do.
func BenchmarkPassWithoutChange(b *testing.B) {
	l := newLab(b)
	l.many(10000)
	l.apply()
	for b.Loop() {
		if c, err := l.pass(); err != nil || !c.Empty() {
			b.Fatal(c.Len(), err)
		}
	}
}
