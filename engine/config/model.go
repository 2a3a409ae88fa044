package config

import (
	"io/fs"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// Workspace is the evaluated model of one directory's *.remint.hcl. Nothing in
// it is an HCL type, and nothing in it changes after Load.
type Workspace struct {
	// Dir is the absolute workspace directory.
	Dir       string
	Settings  Settings
	Providers map[string]*ProviderBlock // by "TYPE.NAME"
	Approvers []Approver                // by name
	Policies  []Policy                  // in order of declaration
	Library   Library
	// Override says who may lift denials, nil where nobody may.
	Override *Override
	// BreakGlass says how the gates are opened in an incident, nil where they are not.
	BreakGlass *BreakGlass
	Notifiers  []*Block // by key
	Verifiers  []*Block // by key
	// Allowed are the consumers that allow blocks name, and Variables the names of
	// the declared variables: what a trust base says beside its credentials.
	Allowed   []*Block
	Variables []string
	// Credentials are all instances, for_each expanded, sorted by address.
	Credentials []*Credential
	// Runbooks by label: the built-in ones, replaced and joined by the workspace's.
	Runbooks map[string]*Runbook
	// Offline is set when variables without a value were left unknown: such a
	// workspace is validated and planned, never applied.
	Offline bool

	// declared are the blocks inside the remint block, by name; files are the
	// sources, for what is said of them after Load.
	declared map[string]hcl.Range
	// guarded are the variables that are declared sensitive.
	guarded map[string]bool
	files   diag.Sources
}

// Place is where something stands and the text around it, for diagnostics.
func (w *Workspace) Place(r diag.Range) (*diag.Range, *diag.Snippet) {
	return w.files.Place(hclRange(r))
}

// Settings is the remint block, defaults filled in.
type Settings struct {
	RequiredVersion string
	// StatePath of the sqlite state; where it is not that, what belongs to this
	// machine alone still lies beside it.
	StatePath provider.Path
	// SharedState is the state that is not in a file, nil where it is.
	SharedState *SharedState
	// EvidenceDir and SignerKey (PKCS#8 PEM).
	EvidenceDir provider.Path
	SignerKey   provider.Path
	// Unplaced is set, offline only, where the place of state or evidence depends on a
	// variable that has no value.
	Unplaced bool
	// SealRecipients are age recipients; none means a key made on first use.
	SealRecipients []string
	SealIdentities []provider.Path
	// DecisionLog is where each decision of the policies is written; may be empty.
	DecisionLog provider.Path
	Approvals   Approvals
}

// SharedState is a state in PostgreSQL.
type SharedState struct {
	// URL is zero in an offline workspace whose variables do not give it.
	URL secret.Value
	// Schema holds the tables; "" is the default one.
	Schema string
	Range  diag.Range
}

// Block is a configured store, consumer, notifier or verifier.
type Block struct {
	Type, Name string
	// Field is the field of the secret that a store takes; filled in.
	Field string
	Attrs provider.Attrs
	// File is the real path of what a store writes to; "" where it is not known.
	File string
	// Bound is set when the block comes from a trust base: no step leaves it out.
	Bound bool
	Range diag.Range
}

// Key is TYPE.NAME, the key under which runbooks see it.
func (b *Block) Key() string { return b.Type + "." + b.Name }

// ProviderBlock is a configured provider.
type ProviderBlock struct {
	Block
	// Environment of all of its credentials; "" is production.
	Environment string
	// Files are the real paths of what it writes to, as far as that is known; ByFile is
	// set where credentials lie in them (see provider.Definition).
	Files  []string
	ByFile bool
}

// Approver is a person who may approve.
type Approver struct {
	Name string
	// PublicKey is a PEM; "" where she has no key but certificates.
	PublicKey string
	// Identity and Issuer are what a Fulcio certificate of hers says: its subject's
	// alternative name, and who issued the ID token. Both or neither.
	Identity, Issuer string
	Groups           []string
	Identities       []string
	// NotAfter and RevokedAt end the key; zero where nothing does. From then on it
	// counts for nothing, whenever what it signed says that it was signed: who has a
	// stolen key can date it back.
	NotAfter, RevokedAt time.Time
	// Notify is where she is told of each use of her key; "" for a mail address among
	// Identities, or her name.
	Notify string
	Range  diag.Range
}

// Ended says why the key counts for nothing at now; "" if it does count.
func (a Approver) Ended(now time.Time) string {
	switch {
	case !a.RevokedAt.IsZero() && !now.Before(a.RevokedAt):
		return "was revoked at " + a.RevokedAt.UTC().Format(time.RFC3339)
	case !a.NotAfter.IsZero() && now.After(a.NotAfter):
		return "was not to be used after " + a.NotAfter.UTC().Format(time.RFC3339)
	}
	return ""
}

// Enforcement is what a denial of a policy source means.
type Enforcement string

// The enforcements.
const (
	Mandatory   Enforcement = "mandatory"
	Overridable Enforcement = "overridable"
	Advisory    Enforcement = "advisory"
)

// Policy is a policy block.
type Policy struct {
	Name string
	// Path is a folder of Rego; where Signing is set, a signed bundle.
	Path        provider.Path
	Signing     *Signing
	Enforcement Enforcement
	// Bound is set when the policy comes from a trust base. Copy is then the
	// workspace's folder of it, which must hold the same; zero if there is none.
	Bound bool
	Copy  provider.Path
	// Files are what the folder held when its trust base was read; nil means that
	// Path is read when it is asked. Revision is then that of the bundle.
	Files    fs.FS
	Revision string
	Range    diag.Range
}

// Library is what the library blocks say: which groups of the built-in policies
// are asked, what their denials mean, and the parameters that are set, by name.
type Library struct {
	// Groups that are asked, beside those that always are.
	Groups []string
	// Enforcement is of groups; one that is not there is mandatory, as those are that
	// are always asked.
	Enforcement map[string]Enforcement
	Parameters  provider.Attrs
	// Range is of the first block; zero when there is none.
	Range diag.Range

	// enforcedAt is where the enforcement of a group is said.
	enforcedAt map[string]diag.Range
}

// Credential is one instance of a credential block.
type Credential struct {
	Addr     addrs.Credential
	Type     *provider.CredentialType
	Provider *ProviderBlock
	Owner    string
	// Subject is the person whose secret it is, as verifiers name her; "" where it
	// belongs to no single one.
	Subject string
	// Environment is never empty: production unless something says otherwise.
	Environment string
	// MaxAge is zero when not set.
	MaxAge  time.Duration
	Labels  map[string]string
	Runbook *Runbook
	// DependsOn are the instances that must be finished first, sorted.
	DependsOn []addrs.Credential
	Attrs     provider.Attrs
	Stores    []*Block // sorted by key; likewise consumers
	Consumers []*Block
	Range     diag.Range

	// unsaid is set offline, where something of it depends on a variable without a
	// value: steps that hang on the credential cannot be decided then.
	unsaid bool
}

// Reset is what `reset` stands for in a runbook's expressions.
type Reset struct {
	Reason            lifecycle.Reason
	Mode              lifecycle.Mode
	Ticket, Requester string
}

// Runbook is the steps for one type.
type Runbook struct {
	Name, Resets, Description string
	Builtin                   bool
	// Digest is sha256 over the runbook's normalized source: comments, layout
	// and file names do not count.
	Digest string
	Range  diag.Range

	steps []*step
	typ   *provider.CredentialType
	// What evaluating the steps needs after Load; none of it changes.
	files diag.Sources
	ctx   *hcl.EvalContext
	// budget bounds evaluation; paths resolves what an issue step names.
	budget *budget
	paths  *paths
}

// Step is a runbook step evaluated for one credential: for_each expanded,
// `when` decided.
type Step struct {
	Addr        addrs.Step
	Phase       lifecycle.Phase
	Description string
	// Args are an issue step's arguments.
	Args provider.Attrs
	// Secret names the issue step whose material an install, confirm or
	// distribute step handles. Which field of it a store takes, the store says.
	Secret *addrs.Step
	// Store or Consumer is what a step under a for_each acts on.
	Store    *Block
	Consumer *Block
	// To is whom a notify step tells.
	To string
	// Via are the keys of the notifiers to use; none means all.
	Via       []string
	DependsOn []addrs.Step
	Timeout   time.Duration
	Retry     Retry
	// Continue is set by on_failure = "continue": a failure is recorded and the
	// reset goes on. Only reload and notify steps may.
	Continue bool
	Controls []string
	Range    diag.Range
}

// Retry says how often a step's transient failures are tried again.
type Retry struct {
	// Attempts in all; zero where the runbook does not say (the executor's default).
	Attempts int
	// Delay before the second attempt (zero likewise), doubled for each further one.
	Delay time.Duration
}
