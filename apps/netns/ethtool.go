package netns

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Commands of SIOCETHTOOL, of linux/ethtool.h.
const (
	ethtoolGetTxChecksum = 0x16
	ethtoolSetTxChecksum = 0x17
)

// ethtoolValue is struct ethtool_value.
type ethtoolValue struct{ cmd, data uint32 }

// ifreqData is struct ifreq with ifr_data.
type ifreqData struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [24 - unsafe.Sizeof(uintptr(0))]byte
}

// ethtool asks for features of links in the namespace that its socket was opened in.
type ethtool struct{ fd int }

func openEthtool() (ethtool, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return ethtool{}, fmt.Errorf("socket for ethtool: %w", err)
	}
	return ethtool{fd}, nil
}

func (e ethtool) close() { _ = unix.Close(e.fd) } // of a socket that holds no data

// offload reports whether a link leaves transmit checksums to the hardware.
func (e ethtool) offload(link string) (bool, error) {
	v := ethtoolValue{cmd: ethtoolGetTxChecksum}
	err := e.do(link, &v)
	return v.data != 0, err
}

// setOffload has the same effect as ethtool -K LINK tx on|off. Without it segmentation offload ends too.
func (e ethtool) setOffload(link string, on bool) error {
	v := ethtoolValue{cmd: ethtoolSetTxChecksum}
	if on {
		v.data = 1
	}
	return e.do(link, &v)
}

func (e ethtool) do(link string, v *ethtoolValue) error {
	r := ifreqData{data: unsafe.Pointer(v)}
	copy(r.name[:unix.IFNAMSIZ-1], link)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(e.fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return fmt.Errorf("checksum offload of %s: %w", link, errno)
	}
	return nil
}
