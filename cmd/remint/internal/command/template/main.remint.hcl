# An example that runs as it is: `remint plan -all`. Change it to what you have.

remint {
  required_version = ">= 0.1.0"
  evidence {
    directory = "evidence"
    signer "key" { path = "keys/evidence.pem" }
  }
}

# Who may approve. Their private keys belong to them, not here: the two that
# `remint init` made are for trying things out.
approver "alice" {
  public_key = file("keys/alice.pub")
  groups     = ["security"]
}

approver "bob" {
  public_key = file("keys/bob.pub")
  groups     = ["security"]
}

policy "house_rules" {
  path        = "policies"
  enforcement = "mandatory"
}

# What does not say otherwise is production.
provider "htpasswd" "site" {
  file        = "site.htpasswd"
  environment = "development"
}

credential "htpasswd_user" "deploy" {
  provider = htpasswd.site
  user     = "deploy"
  owner    = "platform@example.com"
  max_age  = "720h"
  store "file" "dotenv" {
    path   = "app.env"
    format = "dotenv"
    key    = "SITE_PASSWORD"
  }
}
