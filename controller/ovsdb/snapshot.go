package ovsdb

import "github.com/ovn-kubernetes/libovsdb/model"

// tables are the rows of a database at one moment, by table and uuid. A row is not written any more once it is here.
type tables map[string]map[string]model.Model

// get returns a row of a table, or nil.
func get[T any](t tables, table, uuid string) *T {
	r, _ := t[table][uuid].(*T)
	return r
}

// readAll takes all rows from libovsdb's cache. No update may be under way.
func (s *Session) readAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables = tables{}
	for table := range columns {
		s.tables[table] = s.cache.Table(table).Rows()
	}
	s.builder = newBuilder()
	s.state = nil
	s.kick()
}

// updated takes the rows of an update from libovsdb's cache, which holds it, and no more than it.
func (s *Session) updated(touched []rowRef) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tables == nil { // the first read has them
		return
	}
	for _, ref := range touched {
		if r := s.cache.Table(ref.table).Row(ref.uuid); r != nil {
			s.tables[ref.table][ref.uuid] = r
		} else {
			delete(s.tables[ref.table], ref.uuid)
		}
		s.builder.touch(ref)
	}
	s.state = nil
	s.kick()
}

// State returns the database as it is now; after the session ended, as it was last. It is built when it is asked for.
func (s *Session) State() *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil {
		s.state = s.builder.state(s.tables)
	}
	return s.state
}

// current returns the state, or an error when it cannot be known any more.
func (s *Session) current() (*State, error) {
	if err := s.Err(); err != nil {
		return nil, err
	}
	return s.State(), nil
}
