package ofconn

import (
	"context"
	"fmt"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/controller/wire"
)

// multipart sends a multipart request and calls each with the body of every
// part of the answer, opened as far as its type.
func (s *Session) multipart(ctx context.Context, kind wire.MultipartType, encode encoder, each func(body []byte) error) error {
	err := s.stream(ctx, wire.TypeMultipartReply, encode, func(body []byte) error {
		m, err := wire.DecodeMultipart(body)
		if err == nil && m.Type != kind {
			err = fmt.Errorf("answer is about %v", m.Type)
		}
		if err == nil {
			err = each(m.Body)
		}
		if err != nil {
			return s.broken(wire.TypeMultipartReply, body, err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("asking for %v: %w", kind, err)
	}
	return nil
}

// list sends a multipart request and returns the items of all parts of the answer.
func list[T any](ctx context.Context, s *Session, kind wire.MultipartType, encode encoder, decode func([]byte) ([]T, error)) ([]T, error) {
	var all []T
	err := s.multipart(ctx, kind, encode, func(body []byte) error {
		some, err := decode(body)
		all = append(all, some...)
		return err
	})
	return all, err
}

// request is an encoder of multipart requests that have no body.
func request(kind wire.MultipartType) encoder {
	return func(dst []byte, xid uint32) ([]byte, error) { return wire.AppendMultipartRequest(dst, xid, kind, nil) }
}

// Desc returns what the switch says about its make (OpenFlow 1.3.5 §7.3.5.1).
func (s *Session) Desc(ctx context.Context) (wire.Desc, error) {
	var desc wire.Desc
	err := s.multipart(ctx, wire.MultipartDesc, request(wire.MultipartDesc), func(body []byte) (err error) {
		desc, err = wire.DecodeDesc(body)
		return err
	})
	return desc, err
}

// TableStats returns the counters of every table (OpenFlow 1.3.5 §7.3.5.4).
func (s *Session) TableStats(ctx context.Context) ([]wire.TableStat, error) {
	return list(ctx, s, wire.MultipartTable, request(wire.MultipartTable), wire.DecodeTableStats)
}

// PortStats returns the counters of every port (OpenFlow 1.3.5 §7.3.5.6).
func (s *Session) PortStats(ctx context.Context) ([]wire.PortStat, error) {
	return list(ctx, s, wire.MultipartPortStats, func(dst []byte, xid uint32) ([]byte, error) {
		return wire.AppendPortStatsRequest(dst, xid, of.PortAny), nil
	}, wire.DecodePortStats)
}

// CountFlows returns the number of flows whose cookie equals cookie in the bits
// of mask, and the sums of their counters, without dumping them.
func (s *Session) CountFlows(ctx context.Context, table of.TableID, cookie, mask of.Cookie) (wire.Aggregate, error) {
	var sum wire.Aggregate
	err := s.multipart(ctx, wire.MultipartAggregate, func(dst []byte, xid uint32) ([]byte, error) {
		return wire.AppendAggregateRequest(dst, xid, wire.FlowStatsRequest{Table: table, Cookie: cookie, CookieMask: mask})
	}, func(body []byte) (err error) {
		sum, err = wire.DecodeAggregate(body)
		return err
	})
	return sum, err
}

// Groups returns every group of the switch (OpenFlow 1.3.5 §7.3.5.10).
func (s *Session) Groups(ctx context.Context) ([]of.GroupEntry, error) {
	return list(ctx, s, wire.MultipartGroupDesc, request(wire.MultipartGroupDesc), wire.DecodeGroupDesc)
}

// GroupStats returns the counters of every group (OpenFlow 1.3.5 §7.3.5.9).
func (s *Session) GroupStats(ctx context.Context) ([]wire.GroupStat, error) {
	return list(ctx, s, wire.MultipartGroup, func(dst []byte, xid uint32) ([]byte, error) {
		return wire.AppendGroupStatsRequest(dst, xid, of.GroupAll), nil
	}, wire.DecodeGroupStats)
}

// Group adds, modifies or deletes a group and waits until the switch has done
// it. If the switch refuses, the error is a [wire.Error].
func (s *Session) Group(ctx context.Context, cmd wire.GroupCommand, g of.GroupEntry) error {
	err := s.confirm(ctx, func(dst []byte, xid uint32) ([]byte, error) { return wire.AppendGroupMod(dst, xid, cmd, g) })
	if err != nil {
		return fmt.Errorf("changing group %d: %w", g.ID, err)
	}
	return nil
}

// Meters returns every meter of the switch (OpenFlow 1.3.5 §7.3.5.13).
func (s *Session) Meters(ctx context.Context) ([]of.MeterEntry, error) {
	return list(ctx, s, wire.MultipartMeterConfig, meterRequest(wire.MultipartMeterConfig), wire.DecodeMeterConfig)
}

// MeterStats returns the counters of every meter (OpenFlow 1.3.5 §7.3.5.12).
func (s *Session) MeterStats(ctx context.Context) ([]wire.MeterStat, error) {
	return list(ctx, s, wire.MultipartMeter, meterRequest(wire.MultipartMeter), wire.DecodeMeterStats)
}

func meterRequest(kind wire.MultipartType) encoder {
	return func(dst []byte, xid uint32) ([]byte, error) {
		return wire.AppendMeterRequest(dst, xid, kind, of.MeterAll), nil
	}
}

// Meter adds, modifies or deletes a meter and waits until the switch has done
// it. If the switch refuses, the error is a [wire.Error].
func (s *Session) Meter(ctx context.Context, cmd wire.MeterCommand, m of.MeterEntry) error {
	err := s.confirm(ctx, func(dst []byte, xid uint32) ([]byte, error) { return wire.AppendMeterMod(dst, xid, cmd, m) })
	if err != nil {
		return fmt.Errorf("changing meter %d: %w", m.ID, err)
	}
	return nil
}

// PacketOut hands a packet to the switch and waits until the switch has
// executed its actions. If the switch refuses, the error is a [wire.Error].
func (s *Session) PacketOut(ctx context.Context, p wire.PacketOut) error {
	err := s.confirm(ctx, func(dst []byte, xid uint32) ([]byte, error) { return wire.AppendPacketOut(dst, xid, p) })
	if err != nil {
		return fmt.Errorf("sending a packet: %w", err)
	}
	return nil
}

// describePorts asks for all ports (OpenFlow 1.3.5 §7.3.5.7).
func (s *Session) describePorts(ctx context.Context) error {
	ports, err := list(ctx, s, wire.MultipartPortDesc, request(wire.MultipartPortDesc), wire.DecodePortDesc)
	if err != nil {
		return err
	}
	s.ports.describe(ports)
	return nil
}
