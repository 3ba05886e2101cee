package of

// The String methods below make every action print as ovs-ofctl writes it.

// String is the action as ovs-ofctl prints it.
func (a Output) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a OutputReg) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a Controller) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a Group) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a SetField) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a RegLoad2) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a Load) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a Move) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a PushVLAN) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a PopVLAN) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a PushMPLS) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a PopMPLS) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a SetMPLSTTL) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a DecMPLSTTL) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a SetTTL) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a DecTTL) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a SetQueue) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a Resubmit) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a Conjunction) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a Note) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a Meter) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a ClearActions) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a WriteActions) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a WriteMetadata) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a GotoTable) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a Unknown) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a CT) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a CTClear) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a NAT) String() string { return string(a.appendText(nil)) }

// String is the action as ovs-ofctl prints it.
func (a Learn) String() string { return string(a.appendText(nil)) }
