runbook "postgresql_role" {
  resets      = "postgresql_role"
  description = "Replaces a login role's password, ends the sessions opened with the old one, proves the old one refused."

  verify "requester" {}
  approve "owners" {}
  issue "password" {
    length  = 40
    charset = "base64url"
  }
  install "role" { secret = issue.password }
  confirm "login" { secret = issue.password }
  distribute "stores" {
    for_each = credential.stores
    secret   = issue.password
  }
  reload "services" { for_each = credential.consumers }
  revoke "old" {}
  terminate "sessions" {}
  prove "refused" {}
  notify "owner" { to = credential.owner }
}
