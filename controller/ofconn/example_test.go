package ofconn_test

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/ofconn"
	"github.com/heddle-sdn/heddle/controller/ofconn/fakeswitch"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// A controller that takes every switch, gives it two flows and reads them back.
func Example() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error)
	sw := fakeswitch.New(fakeswitch.Options{DPID: 0xa1, Ports: []of.Port{{No: 1, Name: "tap1"}}})
	go func() { ended <- sw.Dial(ctx, ln.Addr().String()) }() // stands for a bridge with `set-controller`

	l := ofconn.NewListener(ofconn.Config{})
	err = l.Serve(ctx, ln, func(ctx context.Context, s *ofconn.Session) {
		defer cancel()
		fmt.Println("switch", s.DPID(), "has tap1 at", s.Ports()["tap1"].No)
		if err := program(ctx, s); err != nil {
			fmt.Println(err)
		}
	})
	fmt.Println("server:", err)
	<-ended

	// Output:
	// switch 00000000000000a1 has tap1 at 1
	// 2 flows
	// refused: table=1, actions=group:7
	// server: context canceled
}

func program(ctx context.Context, s *ofconn.Session) error {
	if err := s.Role(ctx, true, 1); err != nil {
		return err
	}
	var change ofconn.Change
	for _, f := range []of.Flow{
		{Table: 0, Priority: 1, Match: of.Match{of.InPort(1)}, Actions: []of.Action{of.GotoTable{Table: 1}}},
		{Table: 1, Actions: []of.Action{of.Output{Port: of.PortNormal}}},
	} {
		k, e, err := wire.Pack(f)
		if err != nil {
			return err
		}
		change.Add = append(change.Add, ofconn.Flow{Key: k, Entry: e})
	}
	if err := s.Commit(ctx, change); err != nil {
		return err
	}
	flows, err := s.Flows(ctx, of.TableAll, 0, 0)
	if err != nil {
		return err
	}
	fmt.Println(len(flows), "flows")

	k, e, err := wire.Pack(of.Flow{Table: 1, Priority: of.DefaultPriority, Actions: []of.Action{of.Group{ID: 7}}})
	if err != nil {
		return err
	}
	err = s.Commit(ctx, ofconn.Change{Add: []ofconn.Flow{{Key: k, Entry: e}}})
	var refused *ofconn.RefusedError
	if !errors.As(err, &refused) {
		return fmt.Errorf("a group that is not there was accepted: %w", err)
	}
	fmt.Println("refused:", refused.Flow)
	return nil
}
