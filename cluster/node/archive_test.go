package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pb "quorate/proto/quorate/v1"
)

// diverged is a split in which this node gives way, having made a resource.
func diverged() *DivergedError {
	base := &pb.Configuration{}
	return &DivergedError{
		Own: &pb.Side{
			Node: "b", Forks: []*pb.Fork{{Id: "0f0f-1", Configuration: base}},
			Configuration: &pb.Configuration{Resources: []*pb.Resource{{Id: "web", Agent: "systemd:nginx"}}},
		},
		Winner: &pb.Side{Node: "a", Forks: []*pb.Fork{{Id: "1e1e-2", Configuration: base}}},
		Reason: "it runs more resources (1 against 0)",
	}
}

// dataDir is a data directory with a log in it.
func dataDir(t *testing.T) string {
	t.Helper()
	data := t.TempDir()
	writeLog(t, data, "the log")
	return data
}

func writeLog(t *testing.T, data, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(data, "raft"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "raft", "raft.db"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestTheLogThatGaveWayIsArchivedWithWhatIsLost(t *testing.T) {
	data := dataDir(t)
	at, err := archive(data, diverged(), time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(data, "diverged-20260307T120000Z-0f0f"); at != want {
		t.Errorf("archived in %s, want %s", at, want)
	}
	if got := content(t, at, "raft", "raft.db"); got != "the log" {
		t.Errorf("the log is archived as %q", got)
	}
	if _, err := os.Stat(filepath.Join(data, "raft")); err == nil {
		t.Error("the log is still in use")
	}
	for file, want := range map[string]string{
		archiveVerdict:       "resource web created (systemd:nginx)",
		archiveConfiguration: "systemd:nginx",
		archiveForks:         "0f0f-1",
	} {
		if got := content(t, at, file); !strings.Contains(got, want) {
			t.Errorf("%s holds\n%s\nwithout %q", file, got, want)
		}
	}
}

func TestAnInterruptedArchiveIsFinishedAtTheNextStart(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(t *testing.T, data, at string)
		moved   bool
	}{
		{"after the verdict", func(t *testing.T, _, at string) {
			t.Helper()
			if err := writeSynced(filepath.Join(at, archiveVerdict), []byte("x")); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"before the verdict", func(t *testing.T, _, _ string) { t.Helper() }, false},
		{"after all of it, and joined again", func(t *testing.T, data, at string) {
			t.Helper()
			if err := writeSynced(filepath.Join(at, archiveVerdict), []byte("x")); err != nil {
				t.Fatal(err)
			}
			if err := moveRaft(data, at); err != nil {
				t.Fatal(err)
			}
			writeLog(t, data, "the winner's")
		}, false},
		{"after the verdict, without a log", func(t *testing.T, data, at string) {
			t.Helper()
			if err := writeSynced(filepath.Join(at, archiveVerdict), []byte("x")); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(filepath.Join(data, "raft")); err != nil {
				t.Fatal(err)
			}
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := dataDir(t)
			at := filepath.Join(data, "diverged-20260307T120000Z-0f0f")
			if err := os.Mkdir(at, 0o700); err != nil {
				t.Fatal(err)
			}
			tt.prepare(t, data, at)
			for range 2 { // every start
				if err := finishArchive(data); err != nil {
					t.Fatal(err)
				}
			}
			_, err := os.Stat(filepath.Join(data, "raft"))
			if moved := err != nil; moved != tt.moved {
				t.Errorf("the log was moved: %t, want %t", moved, tt.moved)
			}
			writeLog(t, data, "new")
			if err := finishArchive(data); err != nil || content(t, data, "raft", "raft.db") != "new" && tt.moved {
				t.Errorf("a new log did not survive the next start (%v)", err)
			}
		})
	}
}
