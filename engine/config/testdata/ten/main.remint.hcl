variable "admin_url" {
  type      = string
  sensitive = true
}
provider "postgresql" "main" {
  url         = var.admin_url
  environmnt = "staging"
}
provider "htpasswd" "site" { file = "site.htpasswd" }
provider "ssh" "bastion" { authorized_keys = "authorized_keys" }
provider "htpasswd" "site" { file = "other" }
credential "postgresql_role" "a" {
  provider = postgresql.main
  role     = ["x"]
  max_age  = "30d"
  depends_on = [credential.postgresql_role.b]
}
credential "postgresql_role" "b" {
  role     = "b"
  owner = var.admin_url
  depends_on = [credential.postgresql_role.a]
  store "file" "x" {
    path = "keys/x"
    field = "private_key"
  }
}
credential "ssh_authorized_key" "ci" {
  provider = ssh.basion
  comment = "x"
  store "file" "x" { path = "../x" }
}
runbook "postgresql_role" {
  resets = "postgresql_role"
  verify "r" {}
  approve "o" { when = true }
  issue "password" { lenght = 40 }
  install "role" { 
     description = "sets ${issue.password}"
     secret = issue.passwort 
  }
  confirm "login" { 
    secret = issue.password
    depends_on = [install.rol]
  }
  revoke "old" {}
  notify "owner" { to = credential.ownr }
}
runbook "other" {
  resets = "htpasswd_user"
  verify "r" {}
}
