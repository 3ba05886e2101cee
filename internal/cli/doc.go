// Package cli is the commands with which people ask and tell a Heddle server: get, describe, create, set,
// delete, apply, plan, explain, and those that look after an installation.
//
// Everything goes through the REST API, so a command works from any machine; heddle doctor --local alone
// looks at the host that it runs on. What there is to get, and what can be said of it, is one table of
// resources: a new resource is a new row.
package cli
