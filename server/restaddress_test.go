package server_test

import (
	"net/http"
	"testing"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// TestAddressesOfKeysOverREST: a key is taken from the addresses it is for, and from no
// others, also where the call comes in over REST.
func TestAddressesOfKeysOverREST(t *testing.T) {
	g := guard(t, server.Config{Memory: true, HTTPAddr: "127.0.0.1:0"})
	b := &browser{at: "http://" + g.http, client: http.DefaultClient}
	for addresses, want := range map[string]int{
		"127.0.0.0/8": http.StatusOK, "127.0.0.1": http.StatusOK,
		"192.0.2.0/24": http.StatusUnauthorized, "::1": http.StatusUnauthorized,
	} {
		_, secret := g.make(t, elsewherev1.Key_builder{Role: lead, AllTenants: true, Addresses: []string{addresses}}.Build())
		for _, told := range []string{"X-None: 1", "Elsewhere-Peer: 192.0.2.1:1", "Grpc-Metadata-Elsewhere-Peer: 192.0.2.1:1", "X-Forwarded-For: 192.0.2.1"} {
			if code, text := b.ask(t, "GET", "/v1/whoami", "", "Authorization: Bearer "+secret, told); code != want {
				t.Errorf("a key for %s with %s: %d %s, want %d", addresses, told, code, text, want)
			}
		}
	}
}
