package ofconn

import (
	"context"
	"errors"
	"fmt"

	"github.com/netrack/openflow"
	"github.com/netrack/openflow/ofp"

	"github.com/heddle-sdn/heddle/controller/wire"
)

// Role makes this controller master or slave of the switch (OpenFlow 1.3.5
// §6.3.5). The switch remembers the highest generation any controller has
// shown it and refuses a lower one with ErrStaleRole: whoever led before and
// does not know yet cannot change flows any more.
func (s *Session) Role(ctx context.Context, master bool, generation uint64) error {
	want := ofp.ControllerRoleSlave
	if master {
		want = ofp.ControllerRoleMaster
	}
	body, err := s.do(ctx, wire.TypeRoleReply, fromLibrary(
		openflow.NewRequest(openflow.TypeRoleRequest, &ofp.RoleRequest{Role: want, GenerationID: generation})))
	if errors.Is(err, wire.Error{Type: wire.ErrRoleRequestFailed, Code: wire.RoleStale}) {
		return fmt.Errorf("%w: %w", ErrStaleRole, err)
	}
	if err != nil {
		return fmt.Errorf("asking for a role: %w", err)
	}
	got, err := wire.DecodeRole(body)
	if err != nil {
		return s.broken(wire.TypeRoleReply, body, err)
	}
	if got.Role != wire.Role(want) {
		return fmt.Errorf("asking for a role: switch gave role %d instead of %d", got.Role, want)
	}
	return nil
}
