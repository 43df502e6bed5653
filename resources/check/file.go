package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// lightest is the change of a weight that takes a server out instead
// (keepalived.conf(5), "FILE_CHECK").
const lightest = -254

// fileProbe looks at a number that another program writes. Without a weight anything
// but 0 takes the server out, or with reverse 0 does. A file that is not there, or has
// no number, is as one with 0.
func fileProbe(c Check) (probe, error) {
	if c.File == "" {
		return nil, errors.New("file= is missing: the file to read")
	}
	return func(context.Context, netip.AddrPort) (string, error) {
		n, text, err := number(c.File)
		if err != nil {
			return "", err
		}
		if (n != 0) != c.Reverse {
			return "", errors.New(text)
		}
		return text, nil
	}, nil
}

// fileWeigher is of a file whose number times weight is added to the server's.
func fileWeigher(c Check) weigher {
	if c.Weight == 0 {
		return nil
	}
	times := c.Weight
	if c.Reverse {
		times = -times
	}
	return func(context.Context, netip.AddrPort) answer {
		n, text, err := number(c.File)
		n = max(-heaviest, min(n, heaviest)) * times
		if err == nil && n <= lightest {
			err = fmt.Errorf("%s, which is %d for the weight", text, n)
		}
		return answer{text: text, weight: Weight{Value: max(-heaviest, min(n, heaviest))}, err: err}
	}
}

func number(path string) (n int, text string, err error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, "the file is not there", nil
	case err != nil:
		return 0, "", err
	}
	n, err = strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0, "the file has no number", nil //nolint:nilerr // it is as one with 0
	}
	return n, fmt.Sprintf("the file says %d", n), nil
}
