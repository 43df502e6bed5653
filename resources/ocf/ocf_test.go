package ocf

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
	"quorate/resources/internal/testlan"
)

func TestMain(m *testing.M) { testlan.Main(m) }

// family has the scripts of testdata. The test sees its own processes only.
func family(t *testing.T) *Family {
	t.Helper()
	testlan.Need(t)
	root, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(Config{Root: root, RunDir: t.TempDir(), Node: func() string { return "lvsm" }, NodeID: "1234"})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func script(t *testing.T, name string) *Agent {
	t.Helper()
	return family(t).Find("ocf:test:" + name).(*Agent)
}

// resource makes one of words NAME=VALUE.
func resource(words ...string) *pb.Resource {
	r := &pb.Resource{Id: "db", Parameters: map[string]string{}}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		r.Parameters[name] = value
	}
	return r
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// patience bounds what should take no time, on a machine with much else to do.
const patience = time.Minute

func TestAScriptIsTold(t *testing.T) {
	t.Setenv("OCF_RESKEY_left", "over")
	a, file := script(t, "tells"), filepath.Join(t.TempDir(), "told")
	r := resource("file="+file, "port=81")
	r.Operations = []*pb.OperationSpec{{Name: "start", Options: map[string]string{"on-fail": "restart"}}}
	monitor := &pb.OperationSpec{Name: "monitor", Interval: durationpb.New(10 * time.Second), Options: map[string]string{"OCF_CHECK_LEVEL": "20"}}
	tests := []struct {
		name  string
		run   func(context.Context) error
		wants []string
		lacks []string
	}{
		{"of a start", func(ctx context.Context) error { return a.Start(ctx, r) }, []string{
			"ACTION=start", "OCF_RA_VERSION_MAJOR=1", "OCF_RA_VERSION_MINOR=1", "OCF_ROOT=" + a.family.root,
			"OCF_RESOURCE_INSTANCE=db", "OCF_RESOURCE_TYPE=tells", "OCF_RESOURCE_PROVIDER=test",
			"OCF_RESKEY_port=81", "OCF_RESKEY_CRM_meta_name=start",
			"OCF_RESKEY_CRM_meta_interval=0", "OCF_RESKEY_CRM_meta_on_node=lvsm", "OCF_RESKEY_CRM_meta_on_node_uuid=1234",
			"OCF_RESKEY_CRM_meta_on_fail=restart",
		}, []string{"OCF_CHECK_LEVEL", "OCF_RESKEY_left"}},
		{"of a probe", func(ctx context.Context) error { _, err := a.Monitor(ctx, r); return err },
			[]string{"ACTION=monitor", "OCF_RESKEY_CRM_meta_interval=0"}, []string{"OCF_CHECK_LEVEL"}},
		{"of a recurring monitor", func(ctx context.Context) error { _, err := a.Monitor(resources.Recurring(ctx, monitor), r); return err },
			[]string{"ACTION=monitor", "OCF_RESKEY_CRM_meta_interval=10000", "OCF_CHECK_LEVEL=20"}, nil},
		{"of a reload", func(ctx context.Context) error { return a.Reload(ctx, r) }, []string{"ACTION=reload-agent"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.run(within(t, 20*time.Second)); err != nil {
				t.Fatal(err)
			}
			told, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tt.wants {
				if !strings.Contains("\n"+string(told), "\n"+want+"\n") {
					t.Errorf("it was not told %s, but\n%s", want, told)
				}
			}
			_, timeout, _ := strings.Cut(string(told), "\nOCF_RESKEY_CRM_meta_timeout=")
			timeout, _, _ = strings.Cut(timeout, "\n")
			if ms, err := strconv.Atoi(timeout); err != nil || ms <= 0 || ms > 20000 || ms%100 != 0 {
				t.Errorf("it was told of a timeout of %q ms, want what is left of 20000", timeout)
			}
			for _, lack := range tt.lacks {
				if strings.Contains(string(told), lack) {
					t.Errorf("it was told of %s", lack)
				}
			}
		})
	}
}

func TestAnExitStatusMeans(t *testing.T) {
	a := script(t, "exits")
	none, node, cluster := pb.Ban_BAN_UNSPECIFIED, pb.Ban_BAN_NODE, pb.Ban_BAN_CLUSTER
	tests := []struct {
		status           string
		probe, recurring resources.State
		start            bool // it succeeded
		ban              pb.Ban
	}{
		{"0", resources.Running, resources.Running, true, none},
		{"1", resources.Failed, resources.Failed, false, none},
		{"2", resources.Stopped, resources.Failed, false, node},
		{"3", resources.Failed, resources.Failed, false, node},
		{"4", resources.Stopped, resources.Failed, false, node},
		{"5", resources.Stopped, resources.Failed, false, node},
		{"6", resources.Failed, resources.Failed, false, cluster},
		{"7", resources.Stopped, resources.Stopped, false, none},
		{"8", resources.Promoted, resources.Promoted, false, none},
		{"9", resources.FailedPromoted, resources.FailedPromoted, false, none},
		{"77", resources.Failed, resources.Failed, false, none},
		{"127", resources.Failed, resources.Failed, false, none},
		{"190", resources.Running, resources.Running, false, none},
		{"191", resources.Promoted, resources.Promoted, false, none},
		{"signal", resources.Failed, resources.Failed, false, none},
	}
	for _, tt := range tests {
		t.Run(tt.status, func(t *testing.T) {
			r := resource("status=" + tt.status)
			ctx := within(t, patience)
			if s, err := a.Monitor(ctx, r); s != tt.probe {
				t.Errorf("a probe found %v, %v; want %v", s, err, tt.probe)
			}
			if s, err := a.Monitor(resources.Recurring(ctx, &pb.OperationSpec{}), r); s != tt.recurring {
				t.Errorf("a monitor found %v, %v; want %v", s, err, tt.recurring)
			}
			err := a.Start(ctx, r)
			var f *resources.Fault
			if errors.As(err, &f) == tt.start || f != nil && f.Ban != tt.ban {
				t.Errorf("a start ended with %+v, want success %v or ban %v", err, tt.start, tt.ban)
			}
			if err := a.Stop(ctx, r); (err == nil) != tt.start {
				t.Errorf("a stop ended with %v, want success %v", err, tt.start)
			}
		})
	}
}

func TestTheLastWordsOfAScriptAreItsError(t *testing.T) {
	for _, tt := range []struct{ say, want string }{
		{"", "start: exit status 1: error"},
		{"first\nthe port is taken\n\n", "start: the port is taken (exit status 1: error)"},
		{"Nov 25 23:36:57 ERROR: no such device\nkill: No such process", "start: no such device (exit status 1: error)"},
		{"ocf-exit-reason:because\nERROR: no such device", "start: because (exit status 1: error)"},
		{"x\x1b[31mred\xff", "start: x [31mred\uFFFD (exit status 1: error)"},
	} {
		err := script(t, "exits").Start(within(t, patience), resource("status=1", "say="+tt.say))
		if err == nil || err.Error() != tt.want {
			t.Errorf("after %q the error is %q, want %q", tt.say, err, tt.want)
		}
	}
}

func TestAScriptThatPrints100MBIsReadToItsEnd(t *testing.T) {
	err := script(t, "noisy").Start(within(t, 5*time.Minute), resource())
	if err == nil || err.Error() != "start: the disk is full of noise (exit status 1: error)" {
		t.Errorf("the error is %q", err)
	}
}

func TestAScriptMayForkAndExit(t *testing.T) {
	a, pidfile := script(t, "daemon"), filepath.Join(t.TempDir(), "pid")
	r := resource("pidfile=" + pidfile)
	if err := a.Start(within(t, patience), r); err != nil {
		t.Fatal(err)
	}
	if !alive(t, pidfile) {
		t.Error("its daemon ended with the script")
	}
	if s, err := a.Monitor(within(t, patience), r); s != resources.Running {
		t.Errorf("monitor: %v, %v", s, err)
	}
	if err := a.Stop(within(t, patience), r); err != nil {
		t.Error(err)
	}
	if s, err := a.Monitor(within(t, patience), r); s != resources.Stopped {
		t.Errorf("monitor after the stop: %v, %v", s, err)
	}
}

func TestAScriptThatExceedsItsTimeIsKilledWithAllThatItStarted(t *testing.T) {
	began := time.Now()
	err := script(t, "stubborn").Start(within(t, 3*time.Second), resource())
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "waiting for the moon") {
		t.Errorf("the error is %q; want one of the deadline, with the last words", err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("it took %v to kill", took)
	}
	if left := marked(script(t, "stubborn").family.resourceMarks(resource())); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

func TestAStopInterruptsWhatIsUnderWay(t *testing.T) {
	a, pidfile := script(t, "daemon"), filepath.Join(t.TempDir(), "pid")
	r := resource("pidfile="+pidfile, "start=hang")
	started := make(chan error, 1)
	go func() { started <- a.Start(within(t, time.Minute), r) }()
	for !alive(t, pidfile) {
		time.Sleep(10 * time.Millisecond)
	}
	if err := a.Stop(within(t, patience), r); err != nil {
		t.Error(err)
	}
	if err := <-started; !errors.Is(err, context.Canceled) {
		t.Errorf("the start ended with %v", err)
	}
	if left := marked(a.family.resourceMarks(r)); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

func TestAHaltKillsWhatItsStopLeaves(t *testing.T) {
	a, pidfile := script(t, "daemon"), filepath.Join(t.TempDir(), "pid")
	r := resource("pidfile="+pidfile, "stop=hang")
	if err := a.Start(within(t, patience), r); err != nil {
		t.Fatal(err)
	}
	err := a.Halt(within(t, 3*time.Second), r)
	if err == nil || !strings.Contains(err.Error(), "1 processes of it were killed") {
		t.Errorf("halt: %v; want an error that says what was killed", err)
	}
	if alive(t, pidfile) {
		t.Error("its daemon outlived the halt")
	}
}

// alive tells of the process whose number is in a file. A zombie has ended.
func alive(t *testing.T, pidfile string) bool {
	t.Helper()
	text, err := os.ReadFile(pidfile)
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || convErr != nil || unix.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestWhatCannotBeRunIsAnObstacle(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"locked", "is not executable, try chmod +x"},
		{"absent", "is not installed on this node"},
	} {
		a, r := script(t, tt.name), resource()
		var f *resources.Fault
		if err := a.Start(within(t, patience), r); !errors.As(err, &f) || !f.Obstacle || !strings.Contains(f.Text, tt.want) {
			t.Errorf("%s: start: %+v; want an obstacle with %q", tt.name, err, tt.want)
		}
		if f := a.Survey(r); f == nil || !strings.Contains(f.Text, tt.want) {
			t.Errorf("%s: survey: %+v", tt.name, f)
		}
		if s, err := a.Monitor(within(t, patience), r); s != resources.Stopped || err != nil {
			t.Errorf("%s: probe: %v, %v; want stopped", tt.name, s, err)
		}
		if s, err := a.Monitor(resources.Recurring(within(t, patience), &pb.OperationSpec{}), r); s != resources.Unknown || err == nil {
			t.Errorf("%s: monitor: %v, %v; want unknown", tt.name, s, err)
		}
		if err := a.Stop(within(t, patience), r); err == nil {
			t.Errorf("%s: a stop that ran nothing succeeded", tt.name)
		}
	}
	if err := script(t, "text").Start(within(t, patience), resource()); err == nil || !strings.Contains(err.Error(), "exec format error") {
		t.Errorf("a file of text: %v", err)
	}
}
