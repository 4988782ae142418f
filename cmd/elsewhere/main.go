// Command elsewhere answers "seen elsewhere?": it runs the service and is its
// client on the command line.
//
// It knows flags, files and terminals. It must not read, store or weigh a case
// itself: that is the server's, which it asks through package client.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second signal ends the process, however busy it is.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
