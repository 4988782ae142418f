package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"google.golang.org/protobuf/proto"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// serve runs a server in memory, as elsewhere serve --memory does, until stop.
func serve() (addr string, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.Open(ctx, server.Config{Memory: true, GRPCAddr: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	return s.Addr(), func() {
		cancel()
		if err := <-served; err != nil {
			log.Fatal(err)
		}
	}
}

// loginCase is a case with logins from addresses.
func loginCase(tenant, id string, addresses ...string) *elsewherev1.Case {
	finding := elsewherev1.Finding_builder{Technique: "T1078.004", Operation: "UserLoggedIn"}
	for _, a := range addresses {
		finding.Observables = append(finding.Observables, elsewherev1.Observable_builder{
			Kind: "ip", Value: a, Roles: []string{"login_source"},
		}.Build())
	}
	return elsewherev1.Case_builder{
		Tenant: tenant, Id: id, Kind: "bec", Findings: []*elsewherev1.Finding{finding.Build()},
	}.Build()
}

// Two tenants have the same intruder; the second case finds the first.
func Example() {
	addr, stop := serve()
	defer stop()
	ctx := context.Background()

	c, err := client.Dial(addr)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	for _, submitted := range []*elsewherev1.Case{
		loginCase("cypress", "IR-7", "104.161.20[.]102", "185.241.149[.]122", "20.232.202[.]245"),
		loginCase("elm", "2023-44", "104.161.20[.]102", "185.241.149[.]122", "20.232.202[.]245"),
	} {
		resp, err := c.Submit(ctx, elsewherev1.SubmitCaseRequest_builder{Case: submitted}.Build())
		if err != nil {
			log.Fatal(err)
		}
		for _, link := range resp.GetLinks() {
			fmt.Printf("%s may be the same actor's as %s: %.3f\n", link.GetA(), link.GetB(), link.GetLikelihood())
		}
	}

	seen, err := c.Seen(ctx, []*elsewherev1.Observable{
		elsewherev1.Observable_builder{Value: "104.161.20.102"}.Build(), // the kind is guessed
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, result := range seen.GetResults() {
		for _, s := range result.GetSightings() {
			fmt.Println(result.GetObservable().GetValue(), "was seen by", s.GetTenant(), "in", s.GetCase())
		}
	}
	// Output:
	// cypress/IR-7 may be the same actor's as elm/2023-44: 0.874
	// 104.161.20.102 was seen by cypress in IR-7
	// 104.161.20.102 was seen by elm in 2023-44
}

// Many cases go over one stream; what is rejected does not stop the rest.
func ExampleClient_SubmitAll() {
	addr, stop := serve()
	defer stop()
	ctx := context.Background()

	c, err := client.Dial(addr)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	cases := []*elsewherev1.Case{loginCase("cypress", "IR-7", "104.161.20.102"), loginCase("cypress", "IR-8", "not an address")}
	requests := func(yield func(*elsewherev1.SubmitCaseRequest, error) bool) {
		for _, one := range cases {
			if !yield(elsewherev1.SubmitCaseRequest_builder{Case: one}.Build(), nil) {
				return
			}
		}
	}
	answers := make([]string, len(cases))
	for ack, err := range c.SubmitAll(ctx, requests) {
		if err != nil {
			log.Fatal(err)
		}
		answers[ack.Index] = ack.Result.GetOutcome().String()
		if invalid, ok := errors.AsType[*client.InvalidError](ack.Err); ok {
			answers[ack.Index] = invalid.Violations[0].Path + " " + invalid.Violations[0].Reason
		}
	}
	for _, answer := range answers {
		fmt.Println(answer)
	}
	// Output:
	// SUBMIT_OUTCOME_CREATED
	// findings[0].observables[0].value MALFORMED
}

// A stored case is read, changed and written; nobody's change in between is
// lost.
func ExampleClient_Update() {
	addr, stop := serve()
	defer stop()
	ctx := context.Background()

	c, err := client.Dial(addr)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Submit(ctx, elsewherev1.SubmitCaseRequest_builder{Case: loginCase("cypress", "IR-7")}.Build()); err != nil {
		log.Fatal(err)
	}

	resp, err := c.Update(ctx, "cypress/IR-7", func(stored *elsewherev1.Case) error {
		stored.SetState(elsewherev1.CaseState_CASE_STATE_CLOSED)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.GetOutcome(), resp.GetRevision())
	// Output: SUBMIT_OUTCOME_REPLACED 2
}

// The links of a case, best first, whatever their number.
func ExampleClient_Links() {
	addr, stop := serve()
	defer stop()
	ctx := context.Background()

	c, err := client.Dial(addr)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for _, tenant := range []string{"cypress", "elm", "fir"} {
		req := elsewherev1.SubmitCaseRequest_builder{Case: loginCase(tenant, "1", "104.161.20.102", "185.241.149.122")}.Build()
		if _, err := c.Submit(ctx, req); err != nil {
			log.Fatal(err)
		}
	}

	links := c.Links(ctx, elsewherev1.ListLinksRequest_builder{
		CaseRef: proto.String("fir/1"), MinTier: elsewherev1.Tier_TIER_LEAD, // POSSIBLE if not given
	}.Build())
	for link, err := range links {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(link.GetRef(), link.GetTier())
	}
	// Output:
	// cypress/1~fir/1 TIER_POSSIBLE
	// elm/1~fir/1 TIER_POSSIBLE
}
