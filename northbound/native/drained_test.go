package native

import (
	"testing"

	"github.com/heddle-sdn/heddle/apps/l2"
	"github.com/heddle-sdn/heddle/store/model"
)

func TestDrainedSurvivesAPatchOfSomethingElse(t *testing.T) {
	d, err := documentOf(&model.Host{Name: "h", Drained: true})
	if err != nil {
		t.Fatal(err)
	}
	var p l2.HostPut
	if err := hostFields["drained"](&p, d["drained"]); err != nil || !p.Drained {
		t.Errorf("the document of a drained host says %v: %v", d["drained"], err)
	}
	if err := hostFields["drained"](&p, "yes"); err == nil {
		t.Error("a text is taken for true")
	}
}
