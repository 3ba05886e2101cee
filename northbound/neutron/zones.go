package neutron

import (
	"net/http"
	"slices"

	"github.com/heddle-sdn/heddle/store/model"
)

// zone is the one availability zone, named as the reference's default.
const zone = "nova"

// toZones reads the zones that an object should be in.
func toZones(v any) ([]string, error) {
	zones, err := toTexts(maxText)(v)
	if err != nil {
		return nil, err
	}
	for _, z := range zones {
		if z != zone {
			return nil, model.Errorf(model.NotFound, "AvailabilityZoneNotFound", "AvailabilityZone %s could not be found.", cut(z))
		}
	}
	return zones, nil
}

// zonesOf returns the zones in which a service of an object is.
func zonesOf(m *model.Model, service string, object model.ID) []string {
	if m.HostOfService(service, object) == "" {
		return nil
	}
	return []string{zone}
}

// availabilityZone is where networks' DHCP servers, or routers, can be.
type availabilityZone struct {
	Name     string `json:"name"`
	Resource string `json:"resource"`
	State    string `json:"state"`
}

// listZones answers the zones that have a gateway host, alive or not. They have no ids, and can be
// filtered by every attribute.
func (s *server) listZones(w http.ResponseWriter, r *http.Request) error {
	v := s.view(r, s.Store.Snapshot())
	out := []availabilityZone{}
	for _, z := range []struct {
		resource string
		agent    AgentType
	}{{"network", AgentDHCP}, {"router", AgentL3}} {
		found, alive := false, false
		for _, h := range v.model.Hosts.All() {
			if h.Settings().IsGateway() {
				found = true
				alive = alive || s.Status.Agent(h.Name, z.agent).Alive && !h.Drained
			}
		}
		state := "unavailable"
		if alive {
			state = "available"
		}
		if found {
			out = append(out, availabilityZone{zone, z.resource, state})
		}
	}
	for _, f := range parseQuery(r.URL.RawQuery).filters() {
		get, ok := zoneFilters[f.name]
		if !ok {
			return badRequest("%s is invalid attribute for filtering", reprStrings([]string{f.name}))
		}
		out = slices.DeleteFunc(out, func(z availabilityZone) bool { return !slices.Contains(f.values, get(z)) })
	}
	return writeDocument(w, map[string]any{"availability_zones": out})
}

var zoneFilters = map[string]func(availabilityZone) string{
	"name":     func(z availabilityZone) string { return z.Name },
	"resource": func(z availabilityZone) string { return z.Resource },
	"state":    func(z availabilityZone) string { return z.State },
}
