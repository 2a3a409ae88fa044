runbook "htpasswd_user" {
  resets      = "htpasswd_user"
  description = "Replaces a user's password in the file, and proves the old one refused."

  verify "requester" {}
  approve "owners" {}
  issue "password" {
    length  = 40
    charset = "base64url"
  }
  install "file" { secret = issue.password }
  confirm "accepted" { secret = issue.password }
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
