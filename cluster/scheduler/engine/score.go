package engine

import (
	"math"
	"strconv"
	"strings"
)

// infinity is the score that no other outweighs.
const infinity = 1_000_000

// add adds scores. It saturates, and -INFINITY beats INFINITY ("Infinity Math").
func add(a, b int) int {
	switch {
	case a <= -infinity || b <= -infinity:
		return -infinity
	case a >= infinity || b >= infinity:
		return infinity
	}
	return min(max(a+b, -infinity), infinity)
}

// scale multiplies a score by a colocation's factor. What is not zero stays so,
// because people write small scores.
func scale(score int, factor float32) int {
	product := factor * float32(score)
	half := 0.5
	if product < 0 {
		half = -0.5
	}
	n := int(math.Trunc(float64(product) + half))
	switch {
	case n != 0 || score == 0:
		return n
	case factor > 0:
		return 1
	case factor < 0:
		return -1
	}
	return 0
}

// scoreText prints a score as people write it.
func scoreText(n int) string {
	switch {
	case n >= infinity:
		return "INFINITY"
	case n <= -infinity:
		return "-INFINITY"
	}
	return strconv.Itoa(n)
}

// parseScore reads a score. What is empty, or none, is the given one; ok says
// that it is one or empty.
func (c *cluster) parseScore(s string, unset int) (score int, ok bool) {
	switch strings.ToLower(s) {
	case "":
		return unset, true
	case "infinity", "+infinity":
		return infinity, true
	case "-infinity":
		return -infinity, true
	case "red":
		return c.health.red, true
	case "yellow":
		return c.health.yellow, true
	case "green":
		return c.health.green, true
	}
	n, ok := scanInt(s)
	if !ok {
		return unset, false
	}
	return int(min(max(n, -infinity), infinity)), true
}
