package lvs

import (
	"slices"
	"strconv"
)

// fileCheck reads FILE_CHECK: a number in a file that a track_file names. What all
// checks have this one has not (keepalived.conf(5), "CHECKER_TYPE"); keepalived sees a
// change of the file at once, here it is read each second.
func (c *checker) fileCheck() (made []string, problem string) {
	name := c.d.last("track_file")
	if name == nil {
		return nil, "it names no track_file"
	}
	tracked := c.trackedFile(name.word(1))
	if tracked == nil {
		return nil, "there is no track_file " + name.word(1) + " with a file"
	}
	file := tracked.last("file")
	c.take(name, tracked, file)
	w := c.ownWeight(tracked, 1)
	if own := c.d.last("weight"); own != nil {
		w = weightOf(own.rest())
		c.take(own)
	}
	c.take(c.d.find("dynamic")...)
	for _, d := range tracked.find("init_file") {
		c.approximate(d, "the file is not written; one that is not there counts as 0")
	}
	words := []string{"interval=1s", "rise=1", "fall=1", "file=" + file.word(1)}
	if w.n != 0 {
		words = append(words, "weight="+strconv.Itoa(w.n))
	}
	if w.reverse {
		words = append(words, "reverse=yes")
	}
	return c.say(nil, words)
}

// trackedFile is the track_file of a name, with a file.
func (t *keepalived) trackedFile(name string) *Directive {
	all := (&Directive{Block: t.files[0].Directives}).find("track_file", "vrrp_track_file")
	i := slices.IndexFunc(all, func(d *Directive) bool { return d.word(1) == name && d.last("file") != nil })
	if i < 0 {
		return nil
	}
	return all[i]
}
