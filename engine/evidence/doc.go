// Package evidence is the signed record of what runs did, for people who were
// not there.
//
// A record (Run, Step, Reset) becomes an in-toto statement in a Sigstore bundle:
// a line that any cosign can check. The lines lie in one file for each
// credential of a run and one for the run itself, and every line has a leaf in an
// append-only Merkle ledger beside them. Records link to those before them: a
// reset's last record to all its steps, a run's last record to all its resets.
//
// A signer makes lines, an Archive files them, Verify checks what lies there.
// Approvals are signed in the same way.
package evidence
