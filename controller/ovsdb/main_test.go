package ovsdb

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

var updateGolden = flag.Bool("update", false, "rewrite the files in testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// golden compares text with a file in testdata, or writes it there with -update.
func golden(t *testing.T, file, text string) {
	t.Helper()
	file = "testdata/" + file
	if *updateGolden {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s differs (-update writes it):\n%s", file, text)
	}
}
