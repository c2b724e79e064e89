package main

import (
	"bytes"
	_ "embed"
	"net/http"
	"time"

	"kindred/internal/platform/checksum"
)

// browserScript is what a shop's page loads: docs/your-shop.md describes it.
//
//go:embed browser/kindred.js
var browserScript []byte

// script answers kindred.js. A browser may keep it for five minutes, and then asks whether it has changed.
func (s *server) script(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin") // pages of other origins load it
	w.Header().Set("ETag", `"`+checksum.Bytes(browserScript)[:16]+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(browserScript))
}
