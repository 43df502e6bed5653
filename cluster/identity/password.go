package identity

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"sync"
	"time"

	"github.com/bytemare/opaque"
	"github.com/bytemare/opaque/message"
)

const (
	passwordFile  = "password.json"
	exporterLabel = "EXPORTER-quorate-password"
	bindingSize   = 32
	maxPassword   = 1024
)

var (
	// ErrWrongPassword is the answer to a wrong password and to an unknown user alike.
	ErrWrongPassword = errors.New("wrong user or password")

	// ErrNoPassword is returned when nobody has set a password on this node.
	ErrNoPassword = errors.New("no password is set on this node; set one there first")
)

// Passwords checks the passwords of this node by OPAQUE (RFC 9807): what is
// stored does not tell the password, what is sent does not either, and the
// exchange succeeds only when both ends see the same TLS channel, so that
// somebody between two channels learns nothing and gains nothing.
type Passwords struct {
	path    string
	guesses *guesses

	mu     sync.Mutex
	stored *passwordRecords // nil until a password is set
	decoy  *opaque.ClientRecord
}

// passwordRecords is what password.json holds.
type passwordRecords struct {
	SecretKey []byte            `json:"secret_key"` // of the server in OPAQUE; not the node's
	PublicKey []byte            `json:"public_key"`
	Seed      []byte            `json:"seed"`
	Users     map[string][]byte `json:"users"` // registration records
}

func openPasswords(path string) (*Passwords, error) {
	p := &Passwords{path: path, guesses: newGuesses(time.Now)}
	var stored passwordRecords
	err := readJSON(path, &stored)
	if err == nil {
		p.stored = &stored
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if p.decoy, err = configuration(nil).GetFakeRecord(nil); err != nil {
		return nil, fmt.Errorf("make a decoy record: %w", err)
	}
	return p, nil
}

func configuration(context []byte) *opaque.Configuration {
	c := opaque.DefaultConfiguration() // ristretto255, SHA-512, Argon2id
	c.Context = context
	return c
}

// Set registers a user's password, durably, in place of any older one.
func (p *Passwords) Set(user, password string) error {
	if !userName.MatchString(user) {
		return fmt.Errorf("user %q: use 1 to 64 letters, digits and . _ @ -", user)
	}
	if password == "" || len(password) > maxPassword {
		return fmt.Errorf("password: give 1 to %d bytes", maxPassword)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.stored.clone()
	record, err := next.register(user, password)
	if err != nil {
		return fmt.Errorf("register the password: %w", err)
	}
	next.Users[user] = record
	if err := writeJSON(p.path, next); err != nil {
		return err
	}
	p.stored = next
	return nil
}

// Any tells whether any password is set.
func (p *Passwords) Any() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stored != nil
}

func (r *passwordRecords) clone() *passwordRecords {
	next := &passwordRecords{Users: map[string][]byte{}}
	if r == nil {
		next.SecretKey, next.PublicKey = configuration(nil).KeyGen()
		next.Seed = configuration(nil).GenerateOPRFSeed()
		return next
	}
	next.SecretKey, next.PublicKey, next.Seed = r.SecretKey, r.PublicKey, r.Seed
	for user, record := range r.Users {
		next.Users[user] = record
	}
	return next
}

// register plays both ends of OPAQUE's registration; the password stays here.
func (r *passwordRecords) register(user, password string) ([]byte, error) {
	c := configuration(nil)
	client, err := c.Client()
	if err != nil {
		return nil, err
	}
	server, err := c.Server()
	if err != nil {
		return nil, err
	}
	public, err := server.Deserialize.DecodeAkePublicKey(r.PublicKey)
	if err != nil {
		return nil, err
	}
	defer stretch()()
	request := client.RegistrationInit([]byte(password))
	response := server.RegistrationResponse(request, public, []byte(user), r.Seed)
	record, _ := client.RegistrationFinalize(response, opaque.ClientRegistrationFinalizeOptions{ClientIdentity: []byte(user)})
	return record.Serialize(), nil
}

var stretching sync.Mutex

// stretch lets one caller at a time use the 64 MiB that Argon2id takes, until it
// calls the result, which gives them back: an agent that idles is to be small.
func stretch() (done func()) {
	stretching.Lock()
	return func() {
		debug.FreeOSMemory()
		stretching.Unlock()
	}
}

// A PasswordServer is one exchange, seen from the node that is asked.
type PasswordServer struct {
	server  *opaque.Server
	guesses *guesses
}

// Answer takes the client's first message and returns the second. An unknown
// user is answered like a known one. It is a *[TooManyGuessesError] when this
// node heard too many wrong passwords lately.
func (p *Passwords) Answer(user string, first []byte, cs tls.ConnectionState) (*PasswordServer, []byte, error) {
	server, record, err := p.server(user, cs)
	if err != nil {
		return nil, nil, err
	}
	ke1, err := server.Deserialize.KE1(first)
	if err != nil {
		return nil, nil, fmt.Errorf("first password message: %w", err)
	}
	if err := p.guesses.take(); err != nil { // the second message already lets its reader check a guess
		return nil, nil, err
	}
	ke2, err := server.LoginInit(ke1, record)
	if err != nil {
		return nil, nil, fmt.Errorf("answer the password exchange: %w", err)
	}
	return &PasswordServer{server: server, guesses: p.guesses}, ke2.Serialize(), nil
}

func (p *Passwords) server(user string, cs tls.ConnectionState) (*opaque.Server, *opaque.ClientRecord, error) {
	p.mu.Lock()
	stored, decoy := p.stored, *p.decoy
	p.mu.Unlock()
	if stored == nil {
		return nil, nil, ErrNoPassword
	}
	binding, err := channelBinding(cs)
	if err != nil {
		return nil, nil, err
	}
	server, err := configuration(binding).Server()
	if err != nil {
		return nil, nil, fmt.Errorf("password exchange: %w", err)
	}
	if err := server.SetKeyMaterial(nil, stored.SecretKey, stored.PublicKey, stored.Seed); err != nil {
		return nil, nil, fmt.Errorf("password exchange: %w", err)
	}
	record := &decoy
	if data, ok := stored.Users[user]; ok {
		registered, err := server.Deserialize.RegistrationRecord(data)
		if err != nil {
			return nil, nil, fmt.Errorf("password record of %s is damaged, set the password again: %w", user, err)
		}
		record = &opaque.ClientRecord{RegistrationRecord: registered}
	}
	record.CredentialIdentifier, record.ClientIdentity = []byte(user), []byte(user)
	return server, record, nil
}

// Finish takes the client's last message: nil says that it knows the password
// and sees the same channel.
func (s *PasswordServer) Finish(last []byte) error {
	ke3, err := s.server.Deserialize.KE3(last)
	if err != nil {
		return fmt.Errorf("last password message: %w", err)
	}
	if err := s.server.LoginFinish(ke3); err != nil {
		return ErrWrongPassword
	}
	s.guesses.give()
	return nil
}

// A PasswordClient is one exchange, seen from the node that asks.
type PasswordClient struct {
	client *opaque.Client
	user   string
	first  *message.KE1
}

// NewPasswordClient begins an exchange over the TLS channel cs.
func NewPasswordClient(user, password string, cs tls.ConnectionState) (*PasswordClient, error) {
	binding, err := channelBinding(cs)
	if err != nil {
		return nil, err
	}
	client, err := configuration(binding).Client()
	if err != nil {
		return nil, fmt.Errorf("password exchange: %w", err)
	}
	return &PasswordClient{client: client, user: user, first: client.LoginInit([]byte(password))}, nil
}

// First is the first message, for the server.
func (c *PasswordClient) First() []byte { return c.first.Serialize() }

// Finish takes the server's answer and returns the last message, for the
// server. ErrWrongPassword also covers an unknown user and a channel that
// somebody has cut in two. Without an error the server has proved that it holds
// the record of this password. It takes about 0.1 s and 64 MiB, by design.
func (c *PasswordClient) Finish(second []byte) ([]byte, error) {
	ke2, err := c.client.Deserialize.KE2(second)
	if err != nil {
		return nil, fmt.Errorf("second password message: %w", err)
	}
	defer stretch()()
	ke3, _, err := c.client.LoginFinish(ke2, opaque.ClientLoginFinishOptions{ClientIdentity: []byte(c.user)})
	if err != nil {
		return nil, ErrWrongPassword
	}
	return ke3.Serialize(), nil
}

// channelBinding is the same at both ends of one TLS channel and nowhere else
// (RFC 9266 in spirit, with a label of our own).
func channelBinding(cs tls.ConnectionState) ([]byte, error) {
	if cs.Version < tls.VersionTLS13 || !cs.HandshakeComplete {
		return nil, errors.New("password exchange: needs a finished TLS 1.3 handshake")
	}
	binding, err := cs.ExportKeyingMaterial(exporterLabel, nil, bindingSize)
	if err != nil {
		return nil, fmt.Errorf("password exchange: %w", err)
	}
	return binding, nil
}
