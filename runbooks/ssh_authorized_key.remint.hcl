runbook "ssh_authorized_key" {
  resets      = "ssh_authorized_key"
  description = "Makes a new key pair, lets both keys in until every store has the new one, then takes the old one out and proves it refused."

  verify "requester" {}
  approve "owners" {}
  issue "key" {}
  install "authorized" { secret = issue.key }
  confirm "accepted" { secret = issue.key }
  distribute "stores" {
    for_each = credential.stores
    secret   = issue.key
  }
  reload "services" { for_each = credential.consumers }
  revoke "old" {}
  terminate "sessions" {}
  prove "refused" {}
  notify "owner" { to = credential.owner }
}
