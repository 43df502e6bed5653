package check

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"regexp"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/lib/pq"
)

// Without a login a database is only greeted. Its server counts that as an
// aborted connection: MySQL blocks a host after max_connect_errors of them unless
// one succeeds in between, so a login is better.

// queryAll is what is asked unless a check says otherwise.
const queryAll = "SELECT 1"

// mysqlProbe greets or queries. TLS is used if the server offers it.
func mysqlProbe(c Check) (probe, error) {
	if c.Login == "" {
		return c.greetDatabase(nil, mysqlGreeting)
	}
	return c.query(func(at netip.AddrPort) (driver.Connector, error) {
		cfg := mysql.NewConfig()
		cfg.Net, cfg.Addr = "tcp", at.String()
		cfg.User, cfg.Passwd, cfg.DBName = c.Login, c.Password, c.Database
		cfg.TLSConfig, cfg.Timeout = "preferred", c.Timeout
		cfg.Logger = log.New(io.Discard, "", 0) // what went wrong is in the error
		return mysql.NewConnector(cfg)
	})
}

// pgsqlProbe greets or queries. TLS is used if the server offers it.
func pgsqlProbe(c Check) (probe, error) {
	if c.Login == "" {
		return c.greetDatabase(pgsqlSSLRequest, pgsqlGreeting)
	}
	database := c.Database
	if database == "" {
		database = c.Login // as the server does
	}
	return c.query(func(at netip.AddrPort) (driver.Connector, error) {
		return pq.NewConnectorConfig(pq.Config{
			Host: at.Addr().String(), Port: at.Port(),
			User: c.Login, Password: c.Password, Database: database,
			SSLMode: pq.SSLModePrefer, ConnectTimeout: c.Timeout,
		})
	})
}

// greetDatabase sends what makes the server speak and looks at what it says.
func (c Check) greetDatabase(first []byte, look func(io.Reader) (string, error)) (probe, error) {
	if c.Password != "" || c.Database != "" || c.Request != "" || c.Receive != "" {
		return nil, errors.New("login= is missing, without which password=, database=, request= and receive= mean nothing")
	}
	return func(ctx context.Context, at netip.AddrPort) (string, error) {
		conn, err := c.dial(ctx, "tcp", at)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		defer during(ctx, conn)()
		if _, err := conn.Write(first); err != nil {
			return "", err
		}
		return look(conn)
	}, nil
}

// mysqlGreeting reads the server's first packet: three bytes of length, one of
// sequence, then 10 for the protocol, or 255 for an error with number and text
// (MySQL Internals, "Protocol::HandshakeV10", "ERR_Packet").
func mysqlGreeting(r io.Reader) (string, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", hungUp(err)
	}
	size := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if size < 1 || size > longest {
		return "", errors.New("it does not speak MySQL's protocol")
	}
	packet := make([]byte, size)
	if _, err := io.ReadFull(r, packet); err != nil {
		return "", hungUp(err)
	}
	switch {
	case packet[0] == 255 && size > 3:
		return "", fmt.Errorf("it refuses: %s", clip(string(bytes.ToValidUTF8(packet[3:], nil))))
	case packet[0] != 10:
		return "", errors.New("it does not speak MySQL's protocol")
	}
	version, _, _ := bytes.Cut(packet[1:], []byte{0})
	return "version " + clip(string(bytes.ToValidUTF8(version, nil))), nil
}

// pgsqlSSLRequest asks whether the server speaks TLS; every version answers with
// one byte (PostgreSQL, "Frontend/Backend Protocol", SSLRequest).
var pgsqlSSLRequest = binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, 80877103)

func pgsqlGreeting(r io.Reader) (string, error) {
	var answer [1]byte
	if _, err := io.ReadFull(r, answer[:]); err != nil {
		return "", hungUp(err)
	}
	if answer[0] != 'S' && answer[0] != 'N' {
		return "", errors.New("it does not speak PostgreSQL's protocol")
	}
	return "it greets", nil
}

func hungUp(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it closed the connection")
	}
	return err
}

// query logs in, asks, and wants at least one row. The rows' values are matched
// as text, with a tab between two and a line end after each row.
func (c Check) query(connect func(netip.AddrPort) (driver.Connector, error)) (probe, error) {
	receive, err := pattern(c.Receive)
	if err != nil {
		return nil, err
	}
	text := c.Request
	if text == "" {
		text = queryAll
	}
	return func(ctx context.Context, at netip.AddrPort) (string, error) {
		connector, err := connect(at)
		if err != nil {
			return "", err
		}
		db := sql.OpenDB(connector)
		defer db.Close() //nolint:errcheck // the answer is known by then
		rows, err := db.QueryContext(ctx, text)
		if err != nil {
			return "", databaseError(err)
		}
		defer rows.Close() //nolint:errcheck // see above
		return readRows(rows, receive)
	}, nil
}

func readRows(rows *sql.Rows, receive *regexp.Regexp) (string, error) {
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(sql.NullString)
	}
	var b strings.Builder
	n := 0
	for ; b.Len() < longest && rows.Next(); n++ {
		if err := rows.Scan(values...); err != nil {
			return "", err
		}
		for i, v := range values {
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(v.(*sql.NullString).String)
		}
		b.WriteByte('\n')
	}
	switch err := rows.Err(); {
	case err != nil:
		return "", databaseError(err)
	case n == 0:
		return "", errors.New("the query found no row")
	case receive != nil && !receive.MatchString(b.String()):
		return "", fmt.Errorf("the query found %q", firstLine(b.String()))
	}
	return "the query was answered", nil
}

// databaseError keeps the network's errors as they are.
func databaseError(err error) error {
	if _, ok := errors.AsType[net.Error](err); ok {
		return err
	}
	return errors.New(clip(err.Error()))
}
