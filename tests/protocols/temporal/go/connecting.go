package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"

	"go.temporal.io/sdk/client"
)

// security is how a server is reached that asks who calls; all empty for one that does not.
type security struct {
	authority   string // a file with the certificate of the server's issuer
	certificate string // a file with the client's own
	key         string // and one with its key
	apiKey      string
}

// options are those of the SDK, as a user would write them.
func (s security) options(address, namespace string) (client.Options, error) {
	options := client.Options{HostPort: address, Namespace: namespace, Logger: quiet}
	if s.apiKey != "" {
		options.Credentials = client.NewAPIKeyStaticCredentials(s.apiKey)
	}
	if s.authority == "" {
		return options, nil
	}
	pem, err := os.ReadFile(s.authority)
	if err != nil {
		return options, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return options, errors.New("no certificate in " + s.authority)
	}
	config := &tls.Config{RootCAs: roots}
	if s.certificate != "" {
		own, err := tls.LoadX509KeyPair(s.certificate, s.key)
		if err != nil {
			return options, err
		}
		config.Certificates = []tls.Certificate{own}
	}
	options.ConnectionOptions.TLS = config
	return options, nil
}
