package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/runbooks"
)

// registry has the shapes of the types that the design's example uses.
func registry() *provider.Registry {
	r := provider.NewRegistry()
	str := func(name string, required bool) provider.Attribute {
		return provider.Attribute{Name: name, Type: provider.String, Required: required}
	}
	file := func(name string, writes bool) provider.Attribute {
		return provider.Attribute{Name: name, Type: provider.PathType, Required: true, Writes: writes}
	}
	schema := func(a ...provider.Attribute) provider.Schema { return provider.Schema{Attributes: a} }
	password := provider.PasswordIssue(200)
	add := func(name string, s provider.Schema, t provider.CredentialType) {
		t.Schema.Attributes[0].Key = true
		r.AddProvider(provider.Definition{Name: name, Schema: s, ByFile: name == "htpasswd" || name == "ssh", Types: []provider.CredentialType{t}})
	}
	secretURL := str("url", true)
	secretURL.Sensitive = true
	add("postgresql", schema(secretURL), provider.CredentialType{
		Name: "postgresql_role", Kind: lifecycle.InPlace, Sessions: true, Schema: schema(str("role", true)),
		Fields: provider.PasswordFields(), Issue: password,
	})
	add("htpasswd", schema(file("file", true)), provider.CredentialType{
		Name: "htpasswd_user", Kind: lifecycle.InPlace, Schema: schema(str("user", true)), Fields: provider.PasswordFields(), Issue: password,
	})
	add("ssh", schema(file("authorized_keys", true), str("probe_address", false), str("probe_user", false), str("host_key", false)), provider.CredentialType{
		Name: "ssh_authorized_key", Kind: lifecycle.Overlapping, Sessions: true, Schema: schema(str("comment", true)),
		Fields: []provider.Field{{Name: "private_key", Probe: true}, {Name: "public_key", Public: true}},
	})
	add("x509", schema(file("certificate", false), file("private_key", false), file("crl", true)), provider.CredentialType{
		Name: "x509_certificate", Kind: lifecycle.Minted,
		Schema: schema(str("common_name", true), provider.Attribute{Name: "dns_names", Type: provider.StringList}, provider.Attribute{Name: "lifetime", Type: provider.Duration}),
		Fields: []provider.Field{{Name: "certificate", Public: true, Probe: true}, {Name: "private_key"}, {Name: "chain", Public: true}},
	})
	r.AddStore(provider.StoreDefinition{Name: "file", Schema: schema(file("path", true),
		provider.Attribute{Name: "format", Type: provider.String, Default: "raw", OneOf: []string{"raw", "dotenv", "json"}}, str("key", false))})
	r.AddConsumer(provider.ConsumerDefinition{Name: "command", Schema: schema(provider.Attribute{Name: "command", Type: provider.StringList, Required: true})})
	r.AddNotifier(provider.NotifierDefinition{Name: "webhook", Schema: schema(str("url", true))})
	mail := str("password", false)
	mail.Sensitive = true
	r.AddNotifier(provider.NotifierDefinition{Name: "mail", Schema: schema(mail)})
	r.AddNotifier(provider.NotifierDefinition{Name: "log", Local: true})
	return r
}

// workspace writes files into a directory of their own.
func workspace(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func options(dir string) config.Options {
	return config.Options{
		Dir: dir, Registry: registry(), Builtin: runbooks.FS, Version: "0.1.0",
		Vars: map[string]string{"admin_url": "postgres://admin:hunter2@db/x"},
	}
}
