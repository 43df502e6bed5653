package ipvs

// A Translation is a file of another program in the words of a [Configuration].
type Translation struct {
	Text   string
	Lines  []int    // of the file, that each line of Text was made of; 0: of none
	Notes  []string // a sentence for each line of the file that has no equal
	Reload bool     // the file is to be read again when it changes
}

// parse is [Parse] of the text, with the lines of the file.
func (t *Translation) parse() (*Configuration, error) {
	c, err := Parse(t.Text)
	if err != nil {
		return nil, err
	}
	for i := range c.Virtuals {
		v := &c.Virtuals[i]
		v.Line = t.line(v.Line)
		for _, list := range [][]Real{v.Reals, v.Sorry} {
			for j := range list {
				list[j].Line = t.line(list[j].Line)
			}
		}
	}
	return c, nil
}

func (t *Translation) line(of int) int {
	if of < 1 || of > len(t.Lines) {
		return 0
	}
	return t.Lines[of-1]
}
