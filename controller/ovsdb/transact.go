package ovsdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// errGuard is the error of a transaction whose rows changed since they were read. The next pass reads them again.
var errGuard = errors.New("database changed meanwhile")

// transact carries out operations in one transaction: all or none. It returns when the database has committed them
// and State shows them (ovsdb-server sends the update before the answer); it never waits for ovs-vswitchd to act on
// them, which may not be running.
func (s *Session) transact(ctx context.Context, ops []ovsdb.Operation) error {
	if err := s.Err(); err != nil {
		return err
	}
	var results []ovsdb.OperationResult
	err := guard(func() (err error) {
		results, err = s.client.Transact(ctx, ops...)
		return err
	})
	if err != nil {
		if cause := s.Err(); cause != nil {
			err = cause
		}
		return fmt.Errorf("transaction of %d operations: %w", len(ops), err)
	}
	return checkResults(ops, results)
}

// checkResults returns an error unless every operation succeeded and every update and mutation met its row.
func checkResults(ops []ovsdb.Operation, results []ovsdb.OperationResult) error {
	for i, r := range results {
		switch {
		case r.Error == "":
		case i >= len(ops): // RFC 7047 §4.1.3: one more, when the commit itself failed
			return fmt.Errorf("commit: %s: %s", r.Error, r.Details)
		case r.Error == "timed out" && ops[i].Op == ovsdb.OperationWait:
			return fmt.Errorf("%w: %s", errGuard, ops[i].Table)
		default:
			return fmt.Errorf("%s in table %s: %s: %s", ops[i].Op, ops[i].Table, r.Error, r.Details)
		}
	}
	if len(results) < len(ops) {
		return fmt.Errorf("%d operations, %d results", len(ops), len(results))
	}
	for i, op := range ops {
		if (op.Op == ovsdb.OperationUpdate || op.Op == ovsdb.OperationMutate) && results[i].Count == 0 {
			return fmt.Errorf("%w: no row of table %s for %s", errGuard, op.Table, op.Op)
		}
	}
	return nil
}

// byUUID is the condition for one row.
func byUUID(uuid string) []ovsdb.Condition {
	return []ovsdb.Condition{ovsdb.NewCondition("_uuid", ovsdb.ConditionEqual, ovsdb.UUID{GoUUID: uuid})}
}

// byName is the condition for the row of a name, which may be inserted by the same transaction.
func byName(name string) []ovsdb.Condition {
	return []ovsdb.Condition{ovsdb.NewCondition("name", ovsdb.ConditionEqual, name)}
}

func update(table, uuid string, row ovsdb.Row) ovsdb.Operation {
	return ovsdb.Operation{Op: ovsdb.OperationUpdate, Table: table, Where: byUUID(uuid), Row: row}
}

func insert(table, uuidName string, row ovsdb.Row) ovsdb.Operation {
	return ovsdb.Operation{Op: ovsdb.OperationInsert, Table: table, UUIDName: uuidName, Row: row}
}

func mutate(table string, where []ovsdb.Condition, m ...ovsdb.Mutation) ovsdb.Operation {
	return ovsdb.Operation{Op: ovsdb.OperationMutate, Table: table, Where: where, Mutations: m}
}

// addTo and removeFrom change a set column by one reference, whatever else is added or removed at the same time.
func addTo(column, uuid string) ovsdb.Mutation {
	return ovsdb.Mutation{Column: column, Mutator: ovsdb.MutateOperationInsert, Value: uuids(uuid)}
}

func removeFrom(column, uuid string) ovsdb.Mutation {
	return ovsdb.Mutation{Column: column, Mutator: ovsdb.MutateOperationDelete, Value: uuids(uuid)}
}

// setKeys gives keys of a map column new values. An insert alone would keep the old ones (RFC 7047 §5.1).
func setKeys(column string, values map[string]string) []ovsdb.Mutation {
	keys := make([]string, 0, len(values))
	for k := range values {
		keys = append(keys, k)
	}
	return []ovsdb.Mutation{removeKeys(column, keys...),
		{Column: column, Mutator: ovsdb.MutateOperationInsert, Value: mapOf(values)}}
}

func removeKeys(column string, keys ...string) ovsdb.Mutation {
	return ovsdb.Mutation{Column: column, Mutator: ovsdb.MutateOperationDelete, Value: strs(keys)}
}

// unchanged makes a transaction fail if a column of a row is not as it was read (RFC 7047 §5.2.6).
func unchanged(table, uuid, column string, value any) ovsdb.Operation {
	now := 0
	return ovsdb.Operation{Op: ovsdb.OperationWait, Table: table, Where: byUUID(uuid), Columns: []string{column},
		Until: string(ovsdb.WaitConditionEqual), Rows: []ovsdb.Row{{column: value}}, Timeout: &now}
}

func uuids(us ...string) ovsdb.OvsSet {
	s := ovsdb.OvsSet{GoSet: []any{}}
	for _, u := range us {
		s.GoSet = append(s.GoSet, ovsdb.UUID{GoUUID: u})
	}
	return s
}

func strs(ss []string) ovsdb.OvsSet {
	s := ovsdb.OvsSet{GoSet: []any{}}
	for _, v := range ss {
		s.GoSet = append(s.GoSet, v)
	}
	return s
}

func mapOf(m map[string]string) ovsdb.OvsMap {
	o := ovsdb.OvsMap{GoMap: make(map[any]any, len(m))}
	for k, v := range m {
		o.GoMap[k] = v
	}
	return o
}
