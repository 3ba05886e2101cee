package netns

import (
	"sync/atomic"

	"github.com/heddle-sdn/heddle/controller/reconcile"
	"github.com/heddle-sdn/heddle/controller/spec"
)

// Target is one namespace of a host, with its links, addresses, routes and sysctls. It is for one loop:
// Actual and Apply may not overlap.
type Target struct {
	host   *Host
	name   string
	exists atomic.Bool
	want   atomic.Pointer[want]
}

// want is a spec in the form that it is compared in.
type want struct {
	objects map[Path]Object
	sysctls []string
}

var _ reconcile.Target[Path, Object] = (*Target)(nil)

// Namespace returns the namespace of a name. Nothing is read or made before Actual and Apply.
func (h *Host) Namespace(name string) *Target {
	t := &Target{host: h, name: name}
	t.want.Store(&want{})
	return t
}

// Name is the namespace's name.
func (t *Target) Name() string { return t.name }

// Exists reports whether there was a namespace of ours when it was last read or changed.
func (t *Target) Exists() bool { return t.exists.Load() }

// Want says what the namespace should be, and returns it as objects; nil is that there should be none.
// Actual has to know, because settings that nobody asks for are not read.
func (t *Target) Want(ns *spec.Namespace) (map[Path]Object, error) {
	w := &want{objects: map[Path]Object{}}
	if ns != nil {
		objects, err := Desired(*ns, t.host.Offload())
		if err != nil {
			return nil, err
		}
		w.objects = objects
		for _, o := range objects {
			if s, ok := o.(Sysctl); ok {
				w.sysctls = append(w.sysctls, s.Name)
			}
		}
	}
	t.want.Store(w)
	return w.objects, nil
}

func (t *Target) wants(p Path) bool {
	_, ok := t.want.Load().objects[p]
	return ok
}

func (t *Target) sysctls() []string { return t.want.Load().sysctls }

// Equal reports whether an object is as wanted.
func (t *Target) Equal(want, have Object) bool {
	w, ok := want.(Route)
	if !ok {
		return want == have
	}
	h, ok := have.(Route)
	if w.Link == "" {
		w.Link = h.Link
	}
	w.OnLink = false
	return ok && w == h
}
