package kernel_test

import (
	"testing"

	"github.com/heddle-sdn/heddle/internal/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m) }
