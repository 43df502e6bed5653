package check

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// codes are ranges of HTTP status codes.
type codes []codeRange

type codeRange struct{ from, to int }

// defaultStatus is what counts as success unless a check says otherwise, as in
// keepalived (keepalived.conf(5), status_code).
const defaultStatus = "200-299"

// parseStatus reads "200-299,301".
func parseStatus(text string) (codes, error) {
	var list codes
	for _, part := range strings.Split(text, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err := errors.Join(err1, err2); err != nil || from < 100 || to > 999 || from > to {
			return nil, fmt.Errorf("%q is not a range of status codes; write them as 200-299,301", part)
		}
		list = append(list, codeRange{from, to})
	}
	return list, nil
}

func (l codes) contain(code int) bool {
	for _, r := range l {
		if r.from <= code && code <= r.to {
			return true
		}
	}
	return false
}
