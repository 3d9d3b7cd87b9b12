package push

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// An endpoint is an address that a user gives: the server must not be led by it to its own neighbours.

// errInside: an address is not on the public internet.
var errInside = errors.New("the address is not on the public internet")

// internet6 is all that is given out of IPv6 for the public internet. What is outside may be a way to IPv4 addresses (the
// translations 64:ff9b::/96 and ::ffff:0:0:0/96, the old ::/96).
var internet6 = netip.MustParsePrefix("2000::/3")

// reserved are the blocks that netip's own questions do not know (IANA special-purpose registries).
var reserved = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// public says whether an address is one of the public internet.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Zone() != "" || a.Is6() && !internet6.Contains(a) {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// onlyPublic refuses a connection to an address that is not public. It is asked with the address that is really dialled,
// after names were resolved.
func onlyPublic(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !public(a.Addr()) {
		return fmt.Errorf("%w: %s", errInside, address)
	}
	return nil
}

// NewHTTPClient returns a client that reaches public addresses only, follows no redirect, takes no proxy and waits for
// nothing longer than a while.
func NewHTTPClient() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: onlyPublic}
	return &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 20 * time.Second,
			ForceAttemptHTTP2: true, MaxIdleConns: 20, MaxConnsPerHost: 20, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 16 << 10,
		},
	}
}
