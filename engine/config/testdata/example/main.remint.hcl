remint {
  required_version = ">= 0.1.0"
  state "sqlite" { path = ".remint/state.db" } # the default
  evidence {
    directory = "evidence"
    signer "key" { path = "keys/evidence.pem" } # PKCS#8 PEM; keys/evidence.pub beside it
  }
}

variable "admin_url" {
  type      = string
  sensitive = true
}

provider "postgresql" "main" {
  url         = var.admin_url
  environment = "staging"
}
provider "htpasswd" "site" { file = "site.htpasswd" }
provider "ssh" "bastion" { authorized_keys = "authorized_keys" } # optional: probe_address, probe_user, host_key
provider "x509" "internal" {
  certificate = "ca/ca.pem"
  private_key = "ca/ca.key"
  crl         = "ca/ca.crl"
}

approver "alice" {
  public_key = file("keys/alice.pub")
  groups     = ["payments", "security"]
  identities = ["alice@example.com", "github:alice"]
}

policy "house_rules" {
  path        = "policies"  # Rego v1, judged beside the built-in library
  enforcement = "mandatory" # mandatory | overridable | advisory
}

notifier "webhook" "soc" { url = "https://127.0.0.1:8443/hook" }

credential "postgresql_role" "billing" {
  provider = postgresql.main
  role     = "billing"
  owner    = "payments@example.com"
  max_age  = "720h"
  labels   = { tier = "1" }
  store "file" "dotenv" {
    path   = "app/.env"
    format = "dotenv" # raw (default) | dotenv | json
    key    = "DB_PASSWORD"
  }
  consumer "command" "reload" {
    command = ["/usr/bin/systemctl", "reload", "billing"]
  }
}

credential "htpasswd_user" "team" {
  for_each    = { for row in csvdecode(file("team.csv")) : row.user => row }
  provider    = htpasswd.site
  user        = each.key
  owner       = each.value.owner
  environment = "test"
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
