// Package store keeps the model durably: it runs transactions one after another, commits them in
// groups, and publishes a snapshot only after it is on disk.
//
// Promises. An [Store.Update] that returned nil survives a crash and a power cut. [Store.Snapshot]
// never shows a change that could still be lost. Transactions see each other in one serial order and
// each of them happens wholly or not at all. A transaction that fails or panics leaves no trace and
// does not disturb those committed in the same group. The newest changes are kept with what they
// changed, and are as durable as that: see [Store.History] and [Store.At].
package store
