// Package router is layer 3: routers, their interfaces, gateways and extra routes. One half are
// transactions: what may be asked, and the ports and the place that follow. The other half is the plan:
// the namespace of a router with its links, routes and router advertisements, a pure function of the model.
package router
