package ipvs

// check finds what each statement alone does not show.
func (c *Configuration) check() error {
	at := map[Key]int{} // line of each service
	for _, v := range c.Virtuals {
		if err := v.check(); err != nil {
			return err
		}
		for _, k := range v.Keys {
			if line, taken := at[k]; taken {
				return wrongLine(v.Line, "keep one of them", "the virtual service %s is in line %d already", k, line)
			}
			at[k] = v.Line
		}
	}
	return nil
}

func (v Virtual) check() error {
	wrong := func(fix, format string, args ...any) error { return wrongLine(v.Line, fix, format, args...) }
	for _, k := range v.Keys {
		switch {
		case k.is6() != v.Keys[0].is6():
			return wrong("write one virtual for each family", "%s and %s are of two families, and have the same servers", v.Keys[0], k)
		case k.Mark == 0 && k.Address.Port() == 0 && v.Timeout == 0:
			return wrong("add persistent=300", "%s: a service of all ports has to be persistent", k)
		case v.Flags&OnePacket != 0 && k.Protocol != UDP && k.Mark == 0:
			return wrong("leave it out, or give protocol=udp", "%s: flags=one-packet is for UDP", k)
		case v.Mask > k.bits():
			return wrong("", "%s: netmask=%d is longer than its addresses", k, v.Mask)
		case k.Mark == 0 && (k.Address.Addr().IsUnspecified() || k.Address.Addr().IsMulticast()):
			return wrong("", "%s: this is no address of a host", k)
		}
	}
	switch {
	case v.Mask > 0 && v.Timeout == 0:
		return wrong("add persistent=300", "netmask= says whom persistence takes for one client, and this service is not persistent")
	case v.Quorum.Hysteresis > v.Quorum.least():
		return wrong("give a smaller one", "hysteresis=%d is more than the quorum, %d, so that it could never be lost", v.Quorum.Hysteresis, v.Quorum.least())
	case len(v.Reals) == 0:
		return wrong("add a line: real ADDRESS", "%s has no real server", v.Keys[0])
	}
	return v.checkServers()
}

func (v Virtual) checkServers() error {
	at := map[string]int{}
	for _, list := range [][]Real{v.Reals, v.Sorry} {
		for _, r := range list {
			if err := v.checkServer(r); err != nil {
				return err
			}
			if line, taken := at[r.Name()]; taken {
				return wrongLine(r.Line, "keep one of them", "the server %s is in line %d already", r.Name(), line)
			}
			at[r.Name()] = r.Line
		}
	}
	return nil
}

func (v Virtual) checkServer(r Real) error {
	for _, k := range v.Keys {
		switch {
		case r.Address.Is6() != k.is6():
			return wrongLine(r.Line, "give servers of the service's family", "%s is of another family than %s", r.Name(), k)
		case r.Port != 0 && r.Method != NAT && (k.Mark != 0 || r.Port != k.Address.Port()):
			return wrongLine(r.Line, "leave the port out, or give forward=nat", "forward=%s cannot change the port of %s to %d", r.Method, k, r.Port)
		case r.Upper > 0 && r.Lower >= r.Upper:
			return wrongLine(r.Line, "give lower= less than upper=", "%s: lower=%d is not below upper=%d", r.Name(), r.Lower, r.Upper)
		case r.Upper == 0 && r.Lower > 0:
			return wrongLine(r.Line, "add upper=", "%s: lower= alone means nothing", r.Name())
		}
		for _, c := range v.checksOf(r) {
			if err := c.Suits(r.at(k)); err != nil {
				return wrongLine(r.Line, "", "%s cannot be checked by %q: %v", r.Name(), c, err)
			}
		}
	}
	return nil
}
