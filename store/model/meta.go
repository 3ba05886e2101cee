package model

// WithMeta returns a copy of an API object whose Meta is changed; the object itself is not written. What
// has no Meta is returned as it is, and change is not called.
func WithMeta(r Resource, change func(*Meta)) Resource {
	switch r := r.(type) {
	case *Network:
		c := *r
		change(&c.Meta)
		return &c
	case *Subnet:
		c := *r
		change(&c.Meta)
		return &c
	case *Port:
		c := *r
		change(&c.Meta)
		return &c
	case *Router:
		c := *r
		change(&c.Meta)
		return &c
	case *FloatingIP:
		c := *r
		change(&c.Meta)
		return &c
	case *PortForwarding:
		c := *r
		change(&c.Meta)
		return &c
	}
	return r
}

// MetaOf returns what every API object has, and whether r is one.
func MetaOf(r Resource) (meta Meta, ok bool) {
	if r != nil {
		WithMeta(r, func(m *Meta) { meta, ok = *m, true })
	}
	return meta, ok
}
