// Package bolt keeps the store's records in one bbolt file, with verified snapshots beside it.
//
//	DIR/heddle.db                                      the data file
//	DIR/heddle.lock                                    held by the process that uses DIR, names its pid
//	DIR/snapshots/heddle-000123-20261122T150405Z.db    a snapshot of revision 123, verified when taken
//	DIR/heddle.db.broken-20261122T160000Z              what a restore moved aside
//
// The file has a bucket for each kind, from key to JSON, and the bucket "heddle" with one record that
// says format, schema and revision and seals the contents with a checksum. bbolt guards its pages
// against a torn write but not its contents against a flipped bit: the seal does, and so nothing that
// was acknowledged can be lost or altered without notice.
//
// Open never repairs. It refuses a file that is not exactly what the last commit left, says what is
// wrong with it and which command restores the newest snapshot.
package bolt
