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

// MetaOf returns what every API object has, which must not be written; nil for what is no API object.
func MetaOf(r Resource) *Meta {
	switch r := r.(type) {
	case *Network:
		return &r.Meta
	case *Subnet:
		return &r.Meta
	case *Port:
		return &r.Meta
	case *Router:
		return &r.Meta
	case *FloatingIP:
		return &r.Meta
	case *PortForwarding:
		return &r.Meta
	}
	return nil
}
