# Three credentials that differ in kind, and the people and rules that a reset
# of them has to pass. Everything is a file: no server is needed.

remint {
  required_version = ">= 0.1.0"
  evidence {
    directory = "evidence"
    signer "key" { path = "keys/evidence.pem" }
  }
}

approver "alice" {
  public_key = file("keys/alice.pub")
  groups     = ["security"]
}

approver "bob" {
  public_key = file("keys/bob.pub")
  groups     = ["security", "platform"]
}

policy "house_rules" {
  path        = "policies"
  enforcement = "mandatory"
}

# In place: setting the new password kills the old one.
provider "htpasswd" "site" {
  file        = "site.htpasswd"
  environment = "staging"
}

credential "htpasswd_user" "deploy" {
  provider = htpasswd.site
  user     = "deploy"
  owner    = "platform@example.com"
  max_age  = "720h"
  store "file" "dotenv" {
    path   = "app/.env"
    format = "dotenv"
    key    = "SITE_PASSWORD"
  }
}

# Overlapping: for a while both keys are accepted.
provider "ssh" "bastion" {
  authorized_keys = "authorized_keys"
  environment     = "staging"
}

credential "ssh_authorized_key" "ci" {
  provider = ssh.bastion
  comment  = "ci@example.com"
  owner    = "platform@example.com"
  store "file" "key" {
    path  = "ci_ed25519"
    field = "private_key"
  }
}

# Minted: the authority makes the certificate, and revokes by list.
provider "x509" "internal" {
  certificate = "ca/ca.pem"
  private_key = "ca/ca.key"
  crl         = "ca/ca.crl"
  environment = "staging"
}

credential "x509_certificate" "api" {
  provider    = x509.internal
  common_name = "api.internal"
  dns_names   = ["api.internal"]
  lifetime    = "2160h"
  owner       = "platform@example.com"
  store "file" "cert" {
    path  = "api.pem"
    field = "certificate"
  }
  store "file" "key" {
    path  = "api.key"
    field = "private_key"
  }
}
