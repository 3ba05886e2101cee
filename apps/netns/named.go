package netns

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// loopback is the name of a namespace's first device.
const loopback = "lo"

// errForeign says that a name is taken by something that is not ours.
var errForeign = errors.New("it exists and was not made by Heddle")

// openNamed returns the namespace of a name, open; ErrNotExist if the name leads to none.
func (h *Host) openNamed(name string) (int, error) {
	fd, err := unix.Open(h.path(name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open namespace", Path: name, Err: err}
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		_ = unix.Close(fd)
		return -1, &os.PathError{Op: "open namespace", Path: name, Err: err}
	}
	if fs.Type != unix.NSFS_MAGIC {
		_ = unix.Close(fd)
		return -1, &os.PathError{Op: "open namespace", Path: name, Err: unix.ENOENT}
	}
	return fd, nil
}

// mark returns whose a name is: a Mark without Object is not ours. A name that is not there is an error.
func (h *Host) mark(name string) (m Mark, err error) {
	fd, err := h.openNamed(name)
	if errors.Is(err, os.ErrNotExist) {
		text, err := os.ReadFile(h.path(name))
		object, ours := strings.CutPrefix(strings.TrimSuffix(string(text), "\n"), markPrefix)
		if err != nil || !ours {
			return Mark{}, err
		}
		return Mark{Object: object}, nil
	}
	if err != nil {
		return Mark{}, err
	}
	defer unix.Close(fd)
	err = h.look(fd, func(v *view) error {
		m, err = v.mark()
		return err
	})
	if errors.Is(err, errForeign) {
		return Mark{Mounted: true}, nil
	}
	if err != nil {
		return Mark{}, fmt.Errorf("mark of namespace %s: %w", name, err)
	}
	return m, nil
}

// create makes a namespace and gives it its name last, so that one with a name is always marked. A
// plain file that a crash left under the name is used.
func (h *Host) create(name, object string) error {
	if err := h.prepareDir(); err != nil {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	err := onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("new network namespace: %w", err)
		}
		if err := setMark(object); err != nil {
			return err
		}
		path := h.path(name)
		if err := h.placeFile(name, markPrefix+object+"\n"); err != nil {
			return err
		}
		if err := unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount at %s: %w", path, err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	return nil
}

// setMark marks the namespace of the calling thread.
func setMark(object string) error {
	nl, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer nl.Close()
	lo, err := nl.LinkByName(loopback)
	if err == nil {
		err = nl.LinkSetAlias(lo, markPrefix+object)
	}
	if err != nil {
		return fmt.Errorf("mark namespace: %w", err)
	}
	return nil
}

// placeFile makes the file that a namespace is mounted on appear together with its text. One that is
// there already must be ours.
func (h *Host) placeFile(name, text string) error {
	fd, err := unix.Open(h.dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o444)
	if err != nil {
		return fmt.Errorf("make file in %s: %w", h.dir, err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(text)); err != nil {
		return fmt.Errorf("write file in %s: %w", h.dir, err)
	}
	err = unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, h.path(name), unix.AT_SYMLINK_FOLLOW)
	if errors.Is(err, unix.EEXIST) {
		m, err := h.mark(name)
		switch {
		case err != nil:
			return err
		case m.Object == "":
			return errForeign
		case m.Mounted:
			return errors.New("someone else makes it at the same time")
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("name file %s: %w", name, err)
	}
	return nil
}

// prepareDir makes the directory of names a shared mount, as ip-netns(8) does: a namespace that is
// removed here is then removed in the mount namespaces of others too, who would keep it alive.
func (h *Host) prepareDir() error {
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return err
	}
	err := unix.Mount("", h.dir, "none", unix.MS_SHARED|unix.MS_REC, "")
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	if err := unix.Mount(h.dir, h.dir, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return unix.Mount("", h.dir, "none", unix.MS_SHARED|unix.MS_REC, "")
}

// Remove takes the name off a namespace of ours, which ends it unless a process is in it. One that is
// not there is fine; one that is not ours is an error.
func (h *Host) Remove(name string) error {
	m, err := h.mark(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && m.Object == "" {
		err = errForeign
	}
	path := h.path(name)
	if err == nil && m.Mounted {
		err = unix.Unmount(path, unix.MNT_DETACH)
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove namespace %s: %w", name, err)
	}
	return nil
}
