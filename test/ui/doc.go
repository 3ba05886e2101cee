// Package ui looks at the dashboard with a real browser: a server, a lab of three hosts with VMs, routers,
// floating IPs and DHCP, and Chromium, which scripts beside this file drive. It holds tests only.
package ui
