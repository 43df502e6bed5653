package fencing

import (
	"slices"
	"strings"
)

// secretWords are in the names of parameters that are secret, and openWords in those
// that are not although they hold one of these: they name a file or a program.
var (
	secretWords = []string{"passw", "passphrase", "secret", "token", "apikey", "api_key", "community", "_key", "kg"}
	openWords   = []string{"script", "file", "path", "no_password", "ssh_key", "timeout"}
)

// Secret reports whether a parameter of this name is not to be seen by anybody.
func Secret(name string) bool {
	contains := func(w string) bool { return strings.Contains(name, w) }
	return slices.ContainsFunc(secretWords, contains) && !slices.ContainsFunc(openWords, contains)
}
