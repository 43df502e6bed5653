package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"quorate/cluster/consensus"
)

// What is kept of a log that gave way to another node's, in
// DATA/diverged-TIME-FORK/: the configuration and the verdict first, then the
// files of raft, whose move is what empties this node. The verdict is final:
// after a crash in between, the next start finishes it.
const (
	archivePrefix        = "diverged-"
	archiveRaft          = "raft"
	archiveVerdict       = "verdict.txt"        // what happened, and what is lost, for people
	archiveConfiguration = "configuration.json" // of this node's side
	archiveForks         = "forks.json"         // of both sides, with what they began with
)

// errDiverged ends an agent whose log gave way: it begins anew without one.
var errDiverged = errors.New("this node's log gave way to another one's")

// giveWay archives the log and says what is lost with it.
func (a *Agent) giveWay(stores consensus.Stores, e *DivergedError) error {
	if err := stores.Close(); err != nil {
		return fmt.Errorf("close the log that gave way: %w", err)
	}
	data, err := a.identity.DataDir()
	if err != nil {
		return err
	}
	at, err := archive(data, e, time.Now())
	if err != nil {
		return fmt.Errorf("archive the log that gave way: %w", err)
	}
	a.logger.Warn("this node went on alone, and so did another: its log gave way and is archived",
		"node", e.Winner.GetNode(), "reason", e.Reason, "archive", at)
	for _, change := range e.Changes() {
		a.logger.Warn("configured on this node alone, and lost but for the archive", "change", change)
	}
	return errDiverged
}

// archive moves the log away, with its verdict, and returns where it is.
func archive(data string, e *DivergedError, now time.Time) (at string, err error) {
	id := ""
	if forks := e.Own.GetForks(); len(forks) > 0 {
		id, _, _ = strings.Cut(forks[len(forks)-1].GetId(), "-")
	}
	at = filepath.Join(data, archivePrefix+now.UTC().Format("20060102T150405Z")+"-"+id)
	if err := os.MkdirAll(at, 0o700); err != nil {
		return "", err
	}
	readable := protojson.MarshalOptions{Multiline: true}
	configuration, err := readable.Marshal(e.Own.GetConfiguration())
	if err != nil {
		return "", err
	}
	own, err := readable.Marshal(e.Own)
	if err != nil {
		return "", err
	}
	for _, file := range []struct {
		name string
		data []byte
	}{{archiveConfiguration, configuration}, {archiveForks, own}, {archiveVerdict, []byte(verdict(e))}} {
		if err := writeSynced(filepath.Join(at, file.name), file.data); err != nil {
			return "", err
		}
	}
	return at, errors.Join(syncDir(at), syncDir(data), moveRaft(data, at))
}

// verdict is what happened and what is lost, for people.
func verdict(e *DivergedError) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v\n\nConfigured on this node alone:\n", e)
	changes := e.Changes()
	if len(changes) == 0 {
		b.WriteString("  nothing\n")
	}
	for _, c := range changes {
		fmt.Fprintf(&b, "  %s\n", c)
	}
	return b.String()
}

// finishArchive moves the log away if a verdict against it was written and the
// agent ended before it had obeyed.
func finishArchive(data string) error {
	found, err := filepath.Glob(filepath.Join(data, archivePrefix+"*", archiveVerdict))
	if err != nil {
		return err
	}
	for _, file := range found {
		at := filepath.Dir(file)
		if _, err := os.Stat(filepath.Join(at, archiveRaft)); err == nil {
			continue
		}
		if err := moveRaft(data, at); err != nil {
			return fmt.Errorf("finish the archive %s: %w", at, err)
		}
	}
	return nil
}

// moveRaft moves the files of raft into an archive, durably.
func moveRaft(data, at string) error {
	err := os.Rename(filepath.Join(data, archiveRaft), filepath.Join(at, archiveRaft))
	if errors.Is(err, fs.ErrNotExist) {
		err = os.Mkdir(filepath.Join(at, archiveRaft), 0o700) // there is none: nothing is left to obey
	}
	return errors.Join(err, syncDir(at), syncDir(data))
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
