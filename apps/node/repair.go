package node

// Repair has a part look at its namespaces now, and tells the controller what of one was altered: for
// what a part hears of between passes, such as a daemon that ended.
func (r *Runner) Repair(part, namespace, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.node == nil {
		return
	}
	if _, wanted := r.node.Namespaces[namespace]; !wanted {
		return
	}
	r.repairedLocked(namespace, text)
	for _, p := range r.parts {
		if p.part.Name() == part {
			p.wake()
		}
	}
	r.changed()
}
