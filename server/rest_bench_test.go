package server_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// benchCases are how many cases the store of BenchmarkSeen has.
var benchCases = flag.Int("bench-cases", 10_000, "cases in BenchmarkSeen")

// BenchmarkSeen asks the same over gRPC and over REST, so that one run says what REST
// costs besides.
func BenchmarkSeen(b *testing.B) {
	d := start(b, server.Config{DataDir: b.TempDir(), HTTPAddr: "127.0.0.1:0"})
	address := func(i int) string { return fmt.Sprintf("70.%d.%d.%d", i>>16&255, i>>8&255, i&255) }
	submitMany(b, d, *benchCases, func(i int) *elsewherev1.Case {
		// Two cases have each value.
		return newCase(fmt.Sprintf("t%03d", i%500), fmt.Sprint(i), obs("ip", address(i)), obs("ip", address((i+7)%*benchCases)))
	})
	d.settle(b)
	for _, n := range []int{1, 100, 5_000} {
		req := elsewherev1.SeenRequest_builder{}
		type value struct {
			Kind  string `json:"kind"`
			Value string `json:"value"`
		}
		var values []value
		for i := range n {
			text := address(i * (*benchCases / n))
			req.Observables = append(req.Observables, obs("ip", text))
			values = append(values, value{"ip", text})
		}
		body, err := json.Marshal(map[string]any{"observables": values})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("values=%d/over=gRPC", n), func(b *testing.B) {
			for b.Loop() {
				if res, err := d.Seen(b.Context(), req.Build()); err != nil || len(res.GetResults()) != n {
					b.Fatal(err)
				}
			}
		})
		// Go's client asks for gzip unless told otherwise; curl does not.
		for over, plain := range map[string]bool{"REST": true, "REST+gzip": false} {
			client := &http.Client{Transport: &http.Transport{DisableCompression: plain}}
			b.Cleanup(client.CloseIdleConnections)
			b.Run(fmt.Sprintf("values=%d/over=%s", n, over), func(b *testing.B) {
				for b.Loop() {
					res, err := client.Post("http://"+d.http+"/v1/seen", "application/json", strings.NewReader(string(body)))
					if err != nil {
						b.Fatal(err)
					}
					if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
						b.Fatal(res.Status, err)
					}
					res.Body.Close()
				}
			})
		}
	}
}
