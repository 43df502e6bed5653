package state

import (
	"strings"

	pb "quorate/proto/quorate/v1"
)

// change applies what a person asked for: all edits or none, in order, each on
// what the ones before it made.
func (d *draft) change(c *pb.Change) error {
	if len(c.Edits) == 0 {
		return refuse(Invalid, "change", "", "it has no edits")
	}
	before := shallow(d.State)
	inside := targetInside(before)
	said := make([]string, 0, len(c.Edits))
	for _, e := range c.Edits {
		text, err := d.edit(e)
		if err != nil {
			return err
		}
		said = append(said, text)
	}
	if err := d.checkClones(before); err != nil {
		return err
	}
	if err := d.checkPromotions(before); err != nil {
		return err
	}
	if err := d.checkRoles(); err != nil {
		return err
	}
	if now := targetInside(d.State); now != "" && now != inside {
		return refuse(Precondition, "property quorum.ping", "name hosts outside of the cluster, such as the router", "%s", now)
	}
	text := strings.Join(said, "; ")
	d.checkpoint(before, text)
	d.ConfigurationIndex = d.index
	d.record(&pb.Event{Kind: "configuration", Actor: d.actor, Severity: pb.Severity_SEVERITY_INFO, Text: text})
	return nil
}

// edit applies one edit and returns what it did, in words for the event.
func (d *draft) edit(e *pb.Edit) (string, error) {
	switch kind := e.Kind.(type) {
	case *pb.Edit_SetOptions:
		return d.setOptions(kind.SetOptions)
	case *pb.Edit_CreateResource:
		return d.createResource(kind.CreateResource)
	case *pb.Edit_UpdateResource:
		return d.updateResource(kind.UpdateResource)
	case *pb.Edit_DeleteResource:
		return d.deleteResource(kind.DeleteResource)
	case *pb.Edit_AddToGroup:
		return d.addToGroup(kind.AddToGroup)
	case *pb.Edit_RemoveFromGroup:
		return d.removeFromGroup(kind.RemoveFromGroup)
	case *pb.Edit_CreateConstraint:
		return d.createConstraint(kind.CreateConstraint.GetConstraint())
	case *pb.Edit_DeleteConstraint:
		return d.deleteConstraint(kind.DeleteConstraint.GetId())
	case *pb.Edit_UpdateNode:
		return d.updateNode(kind.UpdateNode)
	case *pb.Edit_MoveResource:
		return d.moveResource(kind.MoveResource)
	case *pb.Edit_Cleanup:
		return d.cleanup(kind.Cleanup)
	case *pb.Edit_RestartResource:
		if kind.RestartResource.GetReload() {
			return d.reloadResource(kind.RestartResource.Id)
		}
		return d.restartResource(kind.RestartResource.GetId())
	case *pb.Edit_ReplaceConfiguration:
		return d.replaceConfiguration(kind.ReplaceConfiguration)
	case *pb.Edit_CloneResource:
		return d.cloneResource(kind.CloneResource.GetClone())
	case *pb.Edit_UncloneResource:
		return d.uncloneResource(kind.UncloneResource.GetId())
	case *pb.Edit_KeepServers:
		return d.keepServers(kind.KeepServers)
	case *pb.Edit_CreateDevice:
		return d.createDevice(kind.CreateDevice.GetDevice())
	case *pb.Edit_UpdateDevice:
		return d.updateDevice(kind.UpdateDevice)
	case *pb.Edit_DeleteDevice:
		return d.deleteDevice(kind.DeleteDevice)
	case *pb.Edit_AddLevel:
		return d.addLevel(kind.AddLevel.GetLevel(), kind.AddLevel.GetForce())
	case *pb.Edit_RemoveLevels:
		return d.removeLevels(kind.RemoveLevels)
	case *pb.Edit_FenceNode:
		return d.fenceNode(kind.FenceNode)
	case *pb.Edit_ConfirmOff:
		return d.confirmOff(kind.ConfirmOff.GetNode())
	case *pb.Edit_CleanupFencing:
		return d.cleanupFencing(kind.CleanupFencing.GetNode())
	case *pb.Edit_CreateAlert:
		return d.createAlert(kind.CreateAlert.GetAlert())
	case *pb.Edit_UpdateAlert:
		return d.updateAlert(kind.UpdateAlert)
	case *pb.Edit_DeleteAlert:
		return d.deleteAlert(kind.DeleteAlert.GetId())
	case *pb.Edit_AddRecipient:
		return d.addRecipient(kind.AddRecipient)
	case *pb.Edit_UpdateRecipient:
		return d.updateRecipient(kind.UpdateRecipient)
	case *pb.Edit_RemoveRecipient:
		return d.removeRecipient(kind.RemoveRecipient.GetId())
	default:
		return "", refuse(Invalid, "change", "ask a node of the newest version", "it has an edit that this version does not know")
	}
}
