package l2

import (
	"reflect"
	"slices"
	"strings"

	"github.com/heddle-sdn/heddle/controller/of"
	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

const maxAddressPairs = 10

// CreatePort makes a port on a user's behalf and chooses its MAC and addresses where the request leaves
// them open.
func (o *Ops) CreatePort(tx *store.Tx, req PortCreate) (*model.Port, error) {
	p, err := o.newPort(tx, req)
	if err != nil {
		return nil, err
	}
	if err := o.mayChangePort(tx, nil, p); err != nil {
		return nil, err
	}
	return p, o.putPort(tx, nil, p)
}

// AddPort is CreatePort on behalf of the object that the port belongs to.
func (o *Ops) AddPort(tx *store.Tx, req PortCreate) (*model.Port, error) {
	p, err := o.newPort(tx, req)
	if err != nil {
		return nil, err
	}
	return p, o.putPort(tx, nil, p)
}

// putPort stores a new or changed port.
func (o *Ops) putPort(tx *store.Tx, before, p *model.Port) error {
	tx.Put(p)
	if before == nil {
		return nil
	}
	return o.portChanged(tx, before, p)
}

// newPort makes a port that is not stored yet.
func (o *Ops) newPort(tx *store.Tx, req PortCreate) (*model.Port, error) {
	n, ok := tx.Model().Networks.Get(req.Network)
	if !ok {
		return nil, model.NotFoundError("Network", req.Network)
	}
	id, err := o.newID()
	if err != nil {
		return nil, err
	}
	p := &model.Port{
		Meta:           model.Meta{ID: id, Project: req.Project, Name: req.Name, Description: req.Description, Tags: req.Tags},
		Network:        req.Network,
		AdminUp:        req.AdminUp.Or(true),
		DeviceID:       req.DeviceID,
		DeviceOwner:    req.DeviceOwner,
		BindingHost:    req.BindingHost,
		VNICType:       req.VNICType,
		Profile:        req.Profile,
		PortSecurity:   req.PortSecurity.Or(n.PortSecurity) && !trusted(req.DeviceOwner),
		DHCPOptions:    changeOptions(nil, req.DHCPOptions),
		SecurityGroups: req.SecurityGroups,
		DNSName:        req.DNSName,
		DNSDomain:      req.DNSDomain,
		UplinkStatus:   req.UplinkStatus.Or(true),
		Tag:            nextTag(tx),
	}
	if p.VNICType == "" {
		p.VNICType = "normal"
	}
	if p.MAC, err = o.mac(tx, p, req.MAC); err != nil {
		return nil, err
	}
	if p.FixedIPs, err = o.addresses(tx, p, req.FixedIPs, nil); err != nil {
		return nil, err
	}
	if p.AddressPairs, err = addressPairs(p, req.AddressPairs); err != nil {
		return nil, err
	}
	if err := checkSecurity(p, true); err != nil {
		return nil, err
	}
	tx.StampNew(&p.Meta)
	return p, nil
}

// UpdatePort changes a port on a user's behalf. A request that changes nothing leaves its revision alone.
func (o *Ops) UpdatePort(tx *store.Tx, id model.ID, req PortUpdate) (*model.Port, error) {
	old, p, err := o.changedPort(tx, id, req)
	if err != nil || p == old {
		return p, err
	}
	if err := o.mayChangePort(tx, old, p); err != nil {
		return nil, err
	}
	return p, o.putPort(tx, old, p)
}

// ChangePort is UpdatePort on behalf of the object that the port belongs to.
func (o *Ops) ChangePort(tx *store.Tx, id model.ID, req PortUpdate) (*model.Port, error) {
	old, p, err := o.changedPort(tx, id, req)
	if err != nil || p == old {
		return p, err
	}
	return p, o.putPort(tx, old, p)
}

// changedPort returns a port and what a request makes of it, which is not stored yet; both are the same
// if it changes nothing.
func (o *Ops) changedPort(tx *store.Tx, id model.ID, req PortUpdate) (old, changed *model.Port, err error) {
	old, ok := tx.Model().Ports.Get(id)
	if !ok {
		return nil, nil, model.NotFoundError("Port", id)
	}
	p := *old
	req.applyPlain(&p)
	if err := o.updateAddresses(tx, &p, old, req); err != nil {
		return nil, nil, err
	}
	if req.AddressPairs.Given {
		if p.AddressPairs, err = addressPairs(&p, req.AddressPairs.Value); err != nil {
			return nil, nil, err
		}
	}
	if err := checkSecurity(&p, req.SecurityGroups.Given); err != nil {
		return nil, nil, err
	}
	if reflect.DeepEqual(&p, old) {
		return old, old, nil
	}
	tx.Stamp(&p.Meta)
	return old, &p, nil
}

// applyPlain copies the attributes that concern nothing else.
func (r PortUpdate) applyPlain(p *model.Port) {
	r.Name.apply(&p.Name)
	r.Description.apply(&p.Description)
	r.Tags.apply(&p.Tags)
	r.AdminUp.apply(&p.AdminUp)
	r.DeviceID.apply(&p.DeviceID)
	r.DeviceOwner.apply(&p.DeviceOwner)
	r.BindingHost.apply(&p.BindingHost)
	r.VNICType.apply(&p.VNICType)
	r.Profile.apply(&p.Profile)
	r.PortSecurity.apply(&p.PortSecurity)
	r.SecurityGroups.apply(&p.SecurityGroups)
	r.DNSName.apply(&p.DNSName)
	r.DNSDomain.apply(&p.DNSDomain)
	r.UplinkStatus.apply(&p.UplinkStatus)
	r.DataPlane.apply(&p.DataPlane)
	if r.DHCPOptions.Given {
		p.DHCPOptions = changeOptions(p.DHCPOptions, r.DHCPOptions.Value)
	}
}

// updateAddresses changes MAC and fixed addresses; those that follow from the MAC follow it.
func (o *Ops) updateAddresses(tx *store.Tx, p, old *model.Port, req PortUpdate) error {
	if req.MAC.Given && (req.MAC.Null || req.MAC.Value != old.MAC) {
		var err error
		if p.MAC, err = o.mac(tx, p, req.MAC); err != nil {
			return err
		}
		if plugs := tx.Model().PlugsOf(p.ID); len(plugs) > 0 {
			return model.Errorf(model.InUse, "PortBound",
				"Unable to complete operation on port %s, port is already bound, port type: ovs, old_mac %s, new_mac %s.",
				p.ID, old.MAC, p.MAC)
		}
	}
	asked := req.FixedIPs
	switch {
	case asked.Given && asked.Null:
		asked = Val[[]model.FixedIP](nil)
	case !asked.Given && p.MAC == old.MAC:
		return nil
	case !asked.Given:
		asked = Val(notAuto(tx, old))
	}
	var err error
	p.FixedIPs, err = o.addresses(tx, p, asked, old.FixedIPs)
	return err
}

// notAuto returns the addresses of a port that do not follow from its MAC.
func notAuto(tx *store.Tx, p *model.Port) []model.FixedIP {
	var out []model.FixedIP
	for _, ip := range p.FixedIPs {
		if s, ok := tx.Model().Subnets.Get(ip.Subnet); ok && (!autoAddress(s) || routerLeg(p.DeviceOwner)) {
			out = append(out, ip)
		}
	}
	return out
}

// mac returns the MAC that a request names, if the port may have it, or a free one.
func (o *Ops) mac(tx *store.Tx, p *model.Port, asked Opt[of.MAC]) (of.MAC, error) {
	if !asked.Set() {
		return o.chooseMAC(tx, p.Network)
	}
	mac := asked.Value
	if mac.IsZero() || mac.IsMulticast() {
		return mac, model.Errorf(model.Invalid, "HTTPBadRequest",
			"Invalid input for mac_address. Reason: '%s' is not a valid MAC address.", mac)
	}
	if user, used := tx.Model().MACUser(p.Network, mac); used && user != p.ID {
		err := model.Errorf(model.Conflict, "MacAddressInUse",
			"Unable to complete operation for network %s. The mac address %s is in use.", p.Network, mac)
		err.Blockers = []string{string(user)}
		return mac, err
	}
	return mac, nil
}

// trusted reports whether frames of a port are not to be filtered: it is one of the fabric's own.
func trusted(owner string) bool { return strings.HasPrefix(owner, "network:") }

// addressPairs returns the pairs with the port's MAC filled in.
func addressPairs(p *model.Port, asked []model.AddressPair) ([]model.AddressPair, error) {
	if len(asked) > maxAddressPairs {
		return nil, model.Errorf(model.Invalid, "AllowedAddressPairExhausted",
			"The number of allowed address pair exceeds the maximum %d.", maxAddressPairs)
	}
	var out []model.AddressPair
	for _, pair := range asked {
		if pair.MAC.IsZero() {
			pair.MAC = p.MAC
		}
		if slices.Contains(out, pair) {
			return nil, model.Errorf(model.Invalid, "DuplicateAddressPairInRequest",
				"Request contains duplicate address pair: mac_address %s ip_address %s.", pair.MAC, pair.IP)
		}
		out = append(out, pair)
	}
	return out, nil
}

// checkSecurity refuses filters on a port that is not filtered; asked says that the request itself
// names security groups.
func checkSecurity(p *model.Port, asked bool) error {
	switch {
	case !p.PortSecurity && len(p.AddressPairs) > 0:
		return model.Errorf(model.Conflict, "AddressPairAndPortSecurityRequired",
			"Port Security must be enabled in order to have allowed address pairs on a port.")
	case len(p.SecurityGroups) == 0 || p.PortSecurity && len(p.FixedIPs) > 0:
		return nil
	case asked:
		return model.Errorf(model.Invalid, "PortSecurityAndIPRequiredForSecurityGroups",
			"Port security must be enabled and port must have an IP address in order to use security groups.")
	}
	return model.Errorf(model.InUse, "PortSecurityPortHasSecurityGroup",
		"Port has security group associated. Cannot disable port security or IP address until security group is removed.")
}

// changeOptions returns the DHCP options after the changes; a removal of what is not there is done.
func changeOptions(options []model.DHCPOption, changes []DHCPOptionChange) []model.DHCPOption {
	out := slices.Clone(options)
	for _, c := range changes {
		version := c.IPVersion
		if version == 0 {
			version = 4
		}
		i := slices.IndexFunc(out, func(o model.DHCPOption) bool { return o.Name == c.Name && o.IPVersion == version })
		switch {
		case c.Value == nil && i >= 0:
			out = slices.Delete(out, i, i+1)
		case c.Value == nil:
		case i >= 0:
			out[i].Value = *c.Value
		default:
			out = append(out, model.DHCPOption{Name: c.Name, Value: *c.Value, IPVersion: version})
		}
	}
	return out
}

// DeletePort removes a port on a user's behalf, with its plugs. Ports that belong to another object
// are refused: that object has to be asked.
func (o *Ops) DeletePort(tx *store.Tx, id model.ID) error {
	p, ok := tx.Model().Ports.Get(id)
	if !ok {
		return model.NotFoundError("Port", id)
	}
	if servicePort(p.DeviceOwner) {
		return model.Errorf(model.InUse, "ServicePortInUse",
			"Port %s cannot be deleted directly via the port API: has device owner %s.", id, p.DeviceOwner)
	}
	if err := o.mayChangePort(tx, p, nil); err != nil {
		return err
	}
	return o.removePort(tx, p)
}

// RemovePort removes a port on behalf of the object that it belongs to; a missing one is no error.
func (o *Ops) RemovePort(tx *store.Tx, id model.ID) error {
	p, ok := tx.Model().Ports.Get(id)
	if !ok {
		return nil
	}
	return o.removePort(tx, p)
}

func (o *Ops) removePort(tx *store.Tx, p *model.Port) error {
	for _, g := range tx.Model().PlugsOf(p.ID) {
		unplug(tx, g)
	}
	tx.Delete(p)
	return o.portChanged(tx, p, nil)
}
