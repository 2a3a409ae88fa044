runbook "x509_certificate" {
  resets      = "x509_certificate"
  description = "Has the CA make a new certificate, hands it out, revokes the old one and proves it revoked."

  verify "requester" {}
  approve "owners" {}
  issue "certificate" {}
  confirm "valid" { secret = issue.certificate }
  distribute "stores" {
    for_each = credential.stores
    secret   = issue.certificate
  }
  reload "services" { for_each = credential.consumers }
  revoke "old" {}
  terminate "sessions" {}
  prove "revoked" {}
  notify "owner" { to = credential.owner }
}
