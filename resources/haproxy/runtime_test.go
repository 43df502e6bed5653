package haproxy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "quorate/proto/quorate/v1"
	"quorate/resources"
)

// What HAProxy 2.6 answers, without the columns that nobody reads.
const (
	saidStats = `# pxname,svname,scur,status,weight,bck,lastchg,check_status,check_code,check_duration,last_chk,addr,cookie,algo,
app,web1,7,UP,10,0,90,L7OK,200,3,"OK, all is well",10.0.0.21:80,a,,
app,web2,0,DOWN,1,0,5,L4CON,,1,Connection refused,10.0.0.22:80,b,,
app,web3,0,no check,1,1,9,,,,,10.0.0.23:80,,,
app,web4,2,MAINT,1,0,9,L7OK,200,0,,10.0.0.24:80,,,
app,BACKEND,9,UP,11,0,90,,,,,,,roundrobin,
stats,BACKEND,0,UP,0,0,90,,,,,,,,
`
	saidStates = `1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change
3 app 1 web1 10.0.0.21 2 8 10 12 90
3 app 2 web2 10.0.0.22 0 0 1 1 5
3 app 3 web3 10.0.0.23 2 0 1 1 9
3 app 4 web4 10.0.0.24 0 5 1 1 9
`
)

func TestWhatHAProxySaysIsUnderstood(t *testing.T) {
	rows, err := parseStats(saidStats)
	if err != nil {
		t.Fatal(err)
	}
	states, err := parseStates(saidStates)
	if err != nil {
		t.Fatal(err)
	}
	all := services(rows, states, nil)
	if len(all) != 1 || all[0].Name != "app" || all[0].Scheduler != "roundrobin" {
		t.Fatalf("services: %v", all)
	}
	var said strings.Builder
	for _, s := range all[0].Servers {
		fmt.Fprintf(&said, "%s %s %s %d of %d, %d open", s.Name, s.Address, strings.ToLower(strings.TrimPrefix(s.State.String(), "SERVER_STATE_")),
			s.Weight, s.ConfiguredWeight, s.Open)
		for _, c := range s.Checks {
			fmt.Fprintf(&said, "; %s: %s, %v for %v", c.Result, c.Reason, c.Latency.AsDuration(), c.Since.AsDuration())
		}
		said.WriteString("\n")
	}
	const want = `web1 10.0.0.21:80 drained 0 of 12, 7 open; up: L7OK 200 OK, all is well, 3ms for 1m30s
web2 10.0.0.22:80 down 0 of 1, 0 open; down: L4CON Connection refused, 1ms for 5s
web3 10.0.0.23:80 up 1 of 1, 0 open
web4 10.0.0.24:80 disabled 0 of 1, 2 open
`
	if said.String() != want {
		t.Errorf("got\n%swant\n%s", said.String(), want)
	}
}

func TestABackupWaitsWhileAnotherServes(t *testing.T) {
	for _, state := range []string{"2 0", "2 8", "0 0"} { // up, drained, down
		rows, err := parseStats(saidStats)
		if err != nil {
			t.Fatal(err)
		}
		states, err := parseStates(strings.Replace(saidStates, "10.0.0.21 2 8", "10.0.0.21 "+state, 1))
		if err != nil {
			t.Fatal(err)
		}
		want := pb.ServerState_SERVER_STATE_UP
		if state == "2 0" {
			want = pb.ServerState_SERVER_STATE_BACKUP
		}
		if got := services(rows, states, nil)[0].Servers[2].State; got != want {
			t.Errorf("web1 is %q: the backup is %v, want %v", state, got, want)
		}
	}
}

func TestOddAnswersAreErrors(t *testing.T) {
	for _, said := range []string{"", "Permission denied\n", "# a,b\nc,d"} {
		if rows, err := parseStats(said); err == nil {
			t.Errorf("show stat said %q: %v", said, rows)
		}
	}
	for _, said := range []string{"", "Permission denied\n", "1\n# be_id be_name srv_name\n3 app web1\n"} {
		if states, err := parseStates(said); err == nil {
			t.Errorf("show servers state said %q: %v", said, states)
		}
	}
}

func TestAServerIsOrderedNoMoreThanItNeeds(t *testing.T) {
	const up, drained, maintained, configured = 0, forcedDrain, forcedMaintenance, forcedMaintenance | configuredMaintenance
	order := func(mode pb.ServerMode, weight ...uint32) *pb.ServerOrder {
		o := &pb.ServerOrder{Mode: mode}
		if len(weight) > 0 {
			o.Weight = proto.Uint32(weight[0])
		}
		return o
	}
	tests := []struct {
		name  string
		admin int
		order *pb.ServerOrder
		want  string
	}{
		{"no order", up, nil, ""},
		{"ready as it is", up, order(pb.ServerMode_SERVER_MODE_READY), ""},
		{"drained as it is", drained, order(pb.ServerMode_SERVER_MODE_DRAIN), ""},
		{"to be drained", up, order(pb.ServerMode_SERVER_MODE_DRAIN), "state drain"},
		{"drained instead of disabled", maintained, order(pb.ServerMode_SERVER_MODE_DRAIN), "state drain"},
		{"disabled: its connections end", up, order(pb.ServerMode_SERVER_MODE_DISABLED), "state maint, shutdown"},
		{"to be enabled", maintained, order(pb.ServerMode_SERVER_MODE_READY), "state ready"},
		{"no order any more", drained, nil, "state ready"},
		{"disabled by the configuration", configured, nil, "state maint"},
		{"enabled in spite of it", configured, order(pb.ServerMode_SERVER_MODE_READY), "state ready"},
		{"another weight", up, order(pb.ServerMode_SERVER_MODE_UNSPECIFIED, 7), "weight 7"},
		{"the weight that it has", up, order(pb.ServerMode_SERVER_MODE_UNSPECIFIED, 3), ""},
	}
	for _, tt := range tests {
		st := serverState{backend: "app", server: "web1", operational: 2, admin: tt.admin, weight: 3, initial: 3}
		var got []string
		for _, command := range st.commands(tt.order) {
			command = strings.Replace(command, "shutdown sessions server app/web1", "shutdown", 1)
			got = append(got, strings.TrimPrefix(command, "set server app/web1 "))
		}
		if want := slices.DeleteFunc(strings.Split(tt.want, ", "), func(s string) bool { return s == "" }); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, want)
		}
	}
}

func TestOrdersShowInWhatIsTold(t *testing.T) {
	rows, _ := parseStats(saidStats)
	states, _ := parseStates(saidStates)
	book, err := resources.OpenOrderBook(t.TempDir() + "/orders.json")
	if err != nil {
		t.Fatal(err)
	}
	kept := &pb.ServerOrder{Service: "app", Server: "web1", Mode: pb.ServerMode_SERVER_MODE_DRAIN}
	book.Keep([]*pb.ServerOrder{kept})
	s := services(rows, states, book)[0].Servers[0]
	if !proto.Equal(s.Order, kept) || !s.Kept {
		t.Errorf("web1 has order %v, kept %v", s.Order, s.Kept)
	}
}
