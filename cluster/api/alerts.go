package api

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"quorate/cluster/alert"
	"quorate/cluster/state"
	pb "quorate/proto/quorate/v1"
)

// alertWarnings are about the alerts that a change makes or changes.
func (d *draft) alertWarnings() (list []string) {
	for _, a := range d.state.GetAlerts() {
		if proto.Equal(a, state.AlertByID(d.base, a.Id)) {
			continue
		}
		if why := alert.Missing(a.Path); why != "" {
			list = append(list, fmt.Sprintf("alert %s: %s: the node that leads runs it, so it has to be on each that may", a.Id, why))
		}
		for _, id := range a.Resources {
			if len(state.Members(d.state, id)) == 0 {
				list = append(list, fmt.Sprintf("alert %s: there is no resource, group or clone %s", a.Id, id))
			}
		}
		if a.Path == alert.Mail && len(a.Recipients) == 0 {
			list = append(list, fmt.Sprintf("alert %s: nobody gets its mail yet; use `quorate alert recipient add %s value=ADDRESS`", a.Id, a.Id))
		}
	}
	return list
}

// alertProblems says which alerts do not work.
func alertProblems(st *pb.State) (list []string) {
	for _, c := range st.GetAlertConditions() {
		if c.Error == "" {
			continue
		}
		of := c.Alert
		if c.Recipient != "" {
			of += " for " + c.Recipient
		}
		list = append(list, fmt.Sprintf("alert %s does not work: %s", of, c.Error))
	}
	return list
}
