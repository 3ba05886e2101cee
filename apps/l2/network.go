package l2

import (
	"reflect"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

// CreateNetwork makes a network and chooses its segment, MTU and tag.
func (o *Ops) CreateNetwork(tx *store.Tx, req NetworkCreate) (*model.Network, error) {
	seg, err := o.segmentFor(tx, req)
	if err != nil {
		return nil, err
	}
	id, err := o.newID()
	if err != nil {
		return nil, err
	}
	n := &model.Network{
		Meta:         model.Meta{ID: id, Project: req.Project, Name: req.Name, Description: req.Description, Tags: req.Tags},
		AdminUp:      req.AdminUp.Or(true),
		Shared:       req.Shared,
		External:     req.External,
		Default:      req.Default,
		Type:         seg.kind,
		Physnet:      seg.physnet,
		SegmentID:    seg.id,
		PortSecurity: req.PortSecurity.Or(true),
		DNSDomain:    req.DNSDomain,
		AZHints:      req.AZHints,
		Tag:          nextTag(tx),
	}
	if n.MTU, err = o.mtu(tx, n, req.MTU.Or(0)); err != nil {
		return nil, err
	}
	if err := onlyDefault(tx, n); err != nil {
		return nil, err
	}
	tx.StampNew(&n.Meta)
	tx.Put(n)
	return n, nil
}

func (o *Ops) segmentFor(tx *store.Tx, req NetworkCreate) (segment, error) {
	if req.Type.Set() || req.Physnet.Set() || req.SegmentID.Set() {
		return o.providerSegment(tx, req)
	}
	return o.tenantSegment(tx)
}

// nextTag numbers networks from 1; no number is given twice.
func nextTag(tx *store.Tx) uint32 {
	tag := tx.Model().LastTag() + 1
	tx.Put(&model.Sequence{Name: model.SequenceTag, Last: uint64(tag)})
	return tag
}

// mtu returns the MTU of a network for which asked, 0 for "any", is wanted.
func (o *Ops) mtu(tx *store.Tx, n *model.Network, asked int) (int, error) {
	most := o.maxMTU(n.Type, n.Physnet)
	switch {
	case asked == 0:
		return most, nil
	case asked > most:
		return 0, invalid("Requested MTU is too big, maximum is %d", most)
	case asked < minMTU:
		return 0, invalid("Requested MTU is too small, minimum is %d", minMTU)
	}
	for _, s := range tx.Model().SubnetsOf(n.ID) {
		if s.IPVersion == 6 && asked < minIPv6MTU {
			return 0, invalid("Requested MTU is too small for the network's IPv6 subnets, minimum is %d", minIPv6MTU)
		}
	}
	return asked, nil
}

// onlyDefault refuses a second default external network.
func onlyDefault(tx *store.Tx, n *model.Network) error {
	if !n.Default || !n.External {
		return nil
	}
	for id, other := range tx.Model().Networks.All() {
		if id != n.ID && other.Default && other.External {
			return model.Errorf(model.Conflict, "DefaultExternalNetworkExists",
				"A default external network already exists: %s.", id)
		}
	}
	return nil
}

// UpdateNetwork changes a network. A request that changes nothing leaves its revision alone.
func (o *Ops) UpdateNetwork(tx *store.Tx, id model.ID, req NetworkUpdate) (*model.Network, error) {
	old, ok := tx.Model().Networks.Get(id)
	if !ok {
		return nil, model.NotFoundError("Network", id)
	}
	if err := sameSegment(old, req); err != nil {
		return nil, err
	}
	n := *old
	req.Name.apply(&n.Name)
	req.Description.apply(&n.Description)
	req.Tags.apply(&n.Tags)
	req.AdminUp.apply(&n.AdminUp)
	req.Shared.apply(&n.Shared)
	req.External.apply(&n.External)
	req.Default.apply(&n.Default)
	req.PortSecurity.apply(&n.PortSecurity)
	req.DNSDomain.apply(&n.DNSDomain)
	if req.MTU.Given {
		var err error
		if n.MTU, err = o.mtu(tx, &n, req.MTU.Value); err != nil {
			return nil, err
		}
	}
	if old.Shared && !n.Shared {
		if err := onlyOwnPorts(tx, old); err != nil {
			return nil, err
		}
	}
	if old.External && !n.External {
		if err := noGatewayPorts(tx, old); err != nil {
			return nil, err
		}
	}
	if err := onlyDefault(tx, &n); err != nil {
		return nil, err
	}
	if reflect.DeepEqual(&n, old) {
		return old, nil
	}
	tx.Stamp(&n.Meta)
	tx.Put(&n)
	return &n, nil
}

// sameSegment refuses to move a network to another segment: frames on their way would end up in
// whichever network has the old one next.
func sameSegment(n *model.Network, req NetworkUpdate) error {
	if req.Type.Set() && req.Type.Value != n.Type ||
		req.Physnet.Set() && req.Physnet.Value != n.Physnet ||
		req.SegmentID.Set() && req.SegmentID.Value != int(n.SegmentID) {
		return invalid("Plugin does not support updating provider attributes")
	}
	return nil
}

// onlyOwnPorts refuses to end the sharing of a network that other projects use.
func onlyOwnPorts(tx *store.Tx, n *model.Network) error {
	var others []string
	for _, p := range tx.Model().PortsOf(n.ID) {
		if p.Project != n.Project && p.Project != "" && !strings.HasPrefix(p.DeviceOwner, "network:") {
			others = append(others, string(p.ID))
		}
	}
	if len(others) == 0 {
		return nil
	}
	err := model.Errorf(model.Conflict, "InvalidSharedSetting",
		"Unable to reconfigure sharing settings for network %s. Multiple tenants are using it.", n.ID)
	err.Blockers = others
	return err
}

// noGatewayPorts refuses to make a network internal that routers have their gateway on, or that floating
// IPs are of.
func noGatewayPorts(tx *store.Tx, n *model.Network) error {
	var gateways []string
	for _, p := range tx.Model().PortsOf(n.ID) {
		if p.DeviceOwner == OwnerRouterGateway || p.DeviceOwner == OwnerFloatingIP {
			gateways = append(gateways, string(p.ID))
		}
	}
	if len(gateways) == 0 {
		return nil
	}
	err := model.Errorf(model.InUse, "ExternalNetworkInUse",
		"External network %s cannot be updated to be made non-external, since it has existing gateway ports.", n.ID)
	err.Blockers = gateways
	return err
}

// DeleteNetwork removes a network with its subnets and with the ports that Heddle itself made; a port
// of anyone else keeps it in use.
func (o *Ops) DeleteNetwork(tx *store.Tx, id model.ID) error {
	n, ok := tx.Model().Networks.Get(id)
	if !ok {
		return model.NotFoundError("Network", id)
	}
	if err := o.networkLeaves(tx, n); err != nil {
		return err
	}
	var users []string
	for _, p := range tx.Model().PortsOf(id) {
		if !autoDeleted(p.DeviceOwner) {
			users = append(users, string(p.ID))
		}
	}
	if len(users) > 0 {
		err := model.Errorf(model.InUse, "NetworkInUse",
			"Unable to complete operation on network %s. There are one or more ports still in use on the network, id for these ports is: %s.",
			id, strings.Join(users, ","))
		err.Blockers = users
		return err
	}
	// Its subnets go first: without them nobody makes a port that was removed anew.
	ports := tx.Model().PortsOf(id)
	for _, s := range tx.Model().SubnetsOf(id) {
		tx.Delete(s)
	}
	for _, p := range ports {
		if err := o.RemovePort(tx, p.ID); err != nil {
			return err
		}
	}
	tx.Delete(n)
	return o.subnetsChanged(tx, id)
}

// touchNetwork raises a network's revision because something it owns has changed.
func touchNetwork(tx *store.Tx, id model.ID) {
	old, ok := tx.Model().Networks.Get(id)
	if !ok {
		return
	}
	n := *old
	tx.Stamp(&n.Meta)
	tx.Put(&n)
}

// Device owners with a meaning here (neutron-lib's names; a client may set others).
const (
	OwnerDHCP            = model.OwnerDHCP
	OwnerRouterInterface = model.OwnerRouterInterface
	OwnerRouterGateway   = model.OwnerRouterGateway
	OwnerFloatingIP      = model.OwnerFloatingIP

	ownerDistributed       = "network:distributed"
	ownerFIPAgentGateway   = "network:floatingip_agent_gateway"
	ownerHAInterface       = "network:ha_router_replicated_interface"
	ownerDVRInterface      = "network:router_interface_distributed"
	ownerCentralisedSNAT   = "network:router_centralized_snat"
	ownerRouterHAInterface = "network:router_ha_interface"
)

// autoDeleted reports whether a port goes away with its network or subnet without being asked for.
func autoDeleted(owner string) bool {
	return slices.Contains([]string{OwnerDHCP, ownerDistributed, ownerFIPAgentGateway}, owner)
}

// routerLeg reports whether a port is a router's leg in a tenant network.
func routerLeg(owner string) bool {
	return slices.Contains([]string{OwnerRouterInterface, ownerHAInterface, ownerDVRInterface, ownerCentralisedSNAT}, owner)
}

// servicePort reports whether a port belongs to another object, which has to be asked to remove it.
func servicePort(owner string) bool {
	return routerLeg(owner) || slices.Contains([]string{OwnerRouterGateway, OwnerFloatingIP, ownerRouterHAInterface}, owner)
}
