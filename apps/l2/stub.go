package l2

import (
	"errors"

	"github.com/heddle-sdn/heddle/store"
	"github.com/heddle-sdn/heddle/store/model"
)

var errSoon = errors.New("not written yet")

func (o *Ops) CreateSubnet(tx *store.Tx, req SubnetCreate) (*model.Subnet, error) {
	return nil, errSoon
}
func (o *Ops) UpdateSubnet(tx *store.Tx, id model.ID, req SubnetUpdate) (*model.Subnet, error) {
	return nil, errSoon
}
func (o *Ops) DeleteSubnet(tx *store.Tx, id model.ID) error                 { return errSoon }
func (o *Ops) CreatePort(tx *store.Tx, req PortCreate) (*model.Port, error) { return nil, errSoon }
func (o *Ops) UpdatePort(tx *store.Tx, id model.ID, req PortUpdate) (*model.Port, error) {
	return nil, errSoon
}
func (o *Ops) DeletePort(tx *store.Tx, id model.ID) error { return errSoon }
func (o *Ops) RemovePort(tx *store.Tx, id model.ID) error { return errSoon }
func (o *Ops) Bind(tx *store.Tx, port model.ID, host, iface string) (*model.Plug, error) {
	return nil, errSoon
}
func (o *Ops) Unbind(tx *store.Tx, port model.ID, host string) error { return errSoon }
func (o *Ops) SetHostSaid(tx *store.Tx, name string, said model.HostSettings) (*model.Host, error) {
	return nil, errSoon
}
func (o *Ops) PutHost(tx *store.Tx, name string, put HostPut) (*model.Host, error) {
	return nil, errSoon
}
func (o *Ops) OverrideHost(tx *store.Tx, name string, s model.HostSettings) (*model.Host, error) {
	return nil, errSoon
}
func (o *Ops) DeleteHost(tx *store.Tx, name string) error { return errSoon }

func removePort(tx *store.Tx, p *model.Port) {}
