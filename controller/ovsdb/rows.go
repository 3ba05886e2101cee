package ovsdb

import (
	"maps"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/model"
)

// The rows as libovsdb keeps them: only columns that are used, and none of those that change by themselves every few
// seconds (statistics, status of controllers).
type (
	rootRow struct {
		UUID           string            `ovsdb:"_uuid"`
		Bridges        []string          `ovsdb:"bridges"`
		ManagerOptions []string          `ovsdb:"manager_options"`
		ExternalIDs    map[string]string `ovsdb:"external_ids"`
		OVSVersion     *string           `ovsdb:"ovs_version"`
		DatapathTypes  []string          `ovsdb:"datapath_types"`
	}
	bridgeRow struct {
		UUID         string            `ovsdb:"_uuid"`
		Name         string            `ovsdb:"name"`
		DatapathID   *string           `ovsdb:"datapath_id"`
		DatapathType string            `ovsdb:"datapath_type"`
		FailMode     *string           `ovsdb:"fail_mode"`
		Protocols    []string          `ovsdb:"protocols"`
		Controller   []string          `ovsdb:"controller"`
		Ports        []string          `ovsdb:"ports"`
		OtherConfig  map[string]string `ovsdb:"other_config"`
		ExternalIDs  map[string]string `ovsdb:"external_ids"`
	}
	portRow struct {
		UUID        string            `ovsdb:"_uuid"`
		Name        string            `ovsdb:"name"`
		Tag         *int              `ovsdb:"tag"`
		Trunks      []int             `ovsdb:"trunks"`
		VLANMode    *string           `ovsdb:"vlan_mode"`
		Interfaces  []string          `ovsdb:"interfaces"`
		ExternalIDs map[string]string `ovsdb:"external_ids"`
	}
	interfaceRow struct {
		UUID        string            `ovsdb:"_uuid"`
		Name        string            `ovsdb:"name"`
		Type        string            `ovsdb:"type"`
		Options     map[string]string `ovsdb:"options"`
		OFPort      *int              `ovsdb:"ofport"`
		Error       *string           `ovsdb:"error"`
		MACInUse    *string           `ovsdb:"mac_in_use"`
		MTU         *int              `ovsdb:"mtu"`
		LinkState   *string           `ovsdb:"link_state"`
		AdminState  *string           `ovsdb:"admin_state"`
		ExternalIDs map[string]string `ovsdb:"external_ids"`
		Status      map[string]string `ovsdb:"status"`
		BFD         map[string]string `ovsdb:"bfd"`
		BFDStatus   map[string]string `ovsdb:"bfd_status"`
	}
	controllerRow struct {
		UUID            string            `ovsdb:"_uuid"`
		Target          string            `ovsdb:"target"`
		IsConnected     bool              `ovsdb:"is_connected"`
		ConnectionMode  *string           `ovsdb:"connection_mode"`
		InactivityProbe *int              `ovsdb:"inactivity_probe"`
		MaxBackoff      *int              `ovsdb:"max_backoff"`
		ExternalIDs     map[string]string `ovsdb:"external_ids"`
	}
	managerRow struct {
		UUID            string `ovsdb:"_uuid"`
		Target          string `ovsdb:"target"`
		IsConnected     bool   `ovsdb:"is_connected"`
		InactivityProbe *int   `ovsdb:"inactivity_probe"`
		MaxBackoff      *int   `ovsdb:"max_backoff"`
	}
)

// libovsdb copies a row several times for each change, by way of JSON unless the row knows how to copy itself.

// CloneModel implements model.CloneableModel.
func (r *rootRow) CloneModel() model.Model {
	c := *r
	c.Bridges, c.ManagerOptions, c.DatapathTypes = slices.Clone(r.Bridges), slices.Clone(r.ManagerOptions), slices.Clone(r.DatapathTypes)
	c.ExternalIDs, c.OVSVersion = maps.Clone(r.ExternalIDs), clone(r.OVSVersion)
	return &c
}

// CloneModel implements model.CloneableModel.
func (r *bridgeRow) CloneModel() model.Model {
	c := *r
	c.DatapathID, c.FailMode = clone(r.DatapathID), clone(r.FailMode)
	c.Protocols, c.Controller, c.Ports = slices.Clone(r.Protocols), slices.Clone(r.Controller), slices.Clone(r.Ports)
	c.OtherConfig, c.ExternalIDs = maps.Clone(r.OtherConfig), maps.Clone(r.ExternalIDs)
	return &c
}

// CloneModel implements model.CloneableModel.
func (r *portRow) CloneModel() model.Model {
	c := *r
	c.Tag, c.VLANMode = clone(r.Tag), clone(r.VLANMode)
	c.Trunks, c.Interfaces, c.ExternalIDs = slices.Clone(r.Trunks), slices.Clone(r.Interfaces), maps.Clone(r.ExternalIDs)
	return &c
}

// CloneModel implements model.CloneableModel.
func (r *interfaceRow) CloneModel() model.Model {
	c := *r
	c.OFPort, c.Error, c.MACInUse, c.MTU = clone(r.OFPort), clone(r.Error), clone(r.MACInUse), clone(r.MTU)
	c.LinkState, c.AdminState = clone(r.LinkState), clone(r.AdminState)
	c.Options, c.ExternalIDs, c.Status = maps.Clone(r.Options), maps.Clone(r.ExternalIDs), maps.Clone(r.Status)
	c.BFD, c.BFDStatus = maps.Clone(r.BFD), maps.Clone(r.BFDStatus)
	return &c
}

// CloneModel implements model.CloneableModel.
func (r *controllerRow) CloneModel() model.Model {
	c := *r
	c.ConnectionMode, c.InactivityProbe, c.MaxBackoff = clone(r.ConnectionMode), clone(r.InactivityProbe), clone(r.MaxBackoff)
	c.ExternalIDs = maps.Clone(r.ExternalIDs)
	return &c
}

// CloneModel implements model.CloneableModel.
func (r *managerRow) CloneModel() model.Model {
	c := *r
	c.InactivityProbe, c.MaxBackoff = clone(r.InactivityProbe), clone(r.MaxBackoff)
	return &c
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// CloneModelInto implements model.CloneableModel.
func (r *rootRow) CloneModelInto(m model.Model) { *m.(*rootRow) = *r.CloneModel().(*rootRow) }

// CloneModelInto implements model.CloneableModel.
func (r *bridgeRow) CloneModelInto(m model.Model) { *m.(*bridgeRow) = *r.CloneModel().(*bridgeRow) }

// CloneModelInto implements model.CloneableModel.
func (r *portRow) CloneModelInto(m model.Model) { *m.(*portRow) = *r.CloneModel().(*portRow) }

// CloneModelInto implements model.CloneableModel.
func (r *interfaceRow) CloneModelInto(m model.Model) {
	*m.(*interfaceRow) = *r.CloneModel().(*interfaceRow)
}

// CloneModelInto implements model.CloneableModel.
func (r *controllerRow) CloneModelInto(m model.Model) {
	*m.(*controllerRow) = *r.CloneModel().(*controllerRow)
}

// CloneModelInto implements model.CloneableModel.
func (r *managerRow) CloneModelInto(m model.Model) { *m.(*managerRow) = *r.CloneModel().(*managerRow) }
