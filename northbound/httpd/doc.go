// Package httpd is what all northbounds of the API server share: listening, with TLS whose files may
// change; routing by path prefix; request ids, the access log and recovery from panics; the health
// pages; and a shutdown that lets requests finish and tells streams to end.
package httpd
