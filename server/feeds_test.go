package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// feedsOf returns what a new service says of its feeds, by name.
func feedsOf(t *testing.T, e server.Enrichment) map[string]*elsewherev1.Feed {
	t.Helper()
	d := start(t, server.Config{Memory: true, Enrichment: e})
	res, err := elsewherev1.NewEnrichmentServiceClient(d.conn).ListFeeds(t.Context(), &elsewherev1.ListFeedsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]*elsewherev1.Feed)
	for _, f := range res.GetFeeds() {
		if out[f.GetName()] != nil {
			t.Errorf("%s is listed twice", f.GetName())
		}
		out[f.GetName()] = f
	}
	return out
}

// TestFeedsSayWhatIsWrong: an operator sees by name what is in use, from where,
// and what cannot be used.
func TestFeedsSayWhatIsWrong(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "own.mmdb")
	if err := os.WriteFile(broken, []byte("<html>429</html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := folderOf(t, "freemail.txt", "mail.example\n")
	enrichment := server.Enrichment{FeedsDir: dir}
	_, err := server.Open(t.Context(), server.Config{Memory: true, GRPCAddr: "127.0.0.1:0", Enrichment: server.Enrichment{Databases: []string{broken}}})
	if err == nil || !strings.Contains(err.Error(), broken) {
		t.Errorf("starts on a page in the place of a database: %v", err)
	}

	feeds := feedsOf(t, enrichment)
	f := feeds["freemail"]
	if f.GetStatus() != elsewherev1.FeedStatus_FEED_STATUS_IN_USE || f.GetEntries() != 1 || !f.HasFetchedAt() ||
		f.GetOrigin() != "freemail.txt" || f.GetError() != "" {
		t.Errorf("a list of the folder: %v", f)
	}
	if f := feeds["azure"]; f.GetOrigin() != "built in" || f.HasFetchedAt() {
		t.Errorf("a list of the program: %v", f)
	}

	files, err := filepath.Glob(filepath.Join(dir, "freemail.*"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, ".json") {
			if err := os.WriteFile(file, []byte("other.example\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	f = feedsOf(t, enrichment)["freemail"]
	if f.GetStatus() != elsewherev1.FeedStatus_FEED_STATUS_UNUSABLE || f.GetError() == "" {
		t.Errorf("a damaged list: %v", f)
	}
}
