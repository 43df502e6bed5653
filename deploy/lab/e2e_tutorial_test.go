package lab

import "testing"

// TestE2ETutorial types a pcs tutorial word for word.
func TestE2ETutorial(t *testing.T) {
	s := newScene(t, "lvsm", "lvss", "web1")
	s.writeHAProxyConfiguration()
	s.play(`
		lvsm# pcs cluster auth lvsm lvss web1 -u hacluster -p secret
		lvsm# pcs cluster setup --name auth_cluster lvsm lvss web1
		lvsm# pcs cluster start --all
		lvsm# pcs property set stonith-enabled=false
		lvsm# pcs property set no-quorum-policy=stop
		lvsm# pcs resource create VirtualIP ocf:heartbeat:IPaddr2 ip=$VIP cidr_netmask=32 op monitor interval=30s
		lvsm# pcs resource enable VirtualIP
		lvsm# pcs resource create WebService ocf:heartbeat:haproxy conffile=$SHARED/haproxy.cfg op monitor interval="20" timeout="10"
		lvsm# pcs constraint colocation add WebService with VirtualIP INFINITY
		all on lvsm

		lvsm# pcs cluster stop lvsm
		all on lvss
		lvsm# pcs cluster start lvsm
		all on lvss

		lvsm# pcs constraint location WebService prefers lvsm=50
		lvsm# pcs constraint show
		says WebService prefers lvsm=50
		says WebService with VirtualIP INFINITY
		all on lvsm
		lvsm# pcs cluster stop lvsm
		all on lvss
		lvsm# pcs cluster start lvsm
		all on lvsm
	`)
}
