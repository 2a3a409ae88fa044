package provider

import (
	"fmt"
	"slices"
)

// Registry is everything a workspace may name. It is built once, handed to the
// engine, and not changed afterwards.
type Registry struct {
	providers map[string]*Definition
	types     map[string]*CredentialType
	owners    map[string]string // credential type to provider
	stores    map[string]*StoreDefinition
	consumers map[string]*ConsumerDefinition
	notifiers map[string]*NotifierDefinition
	verifiers map[string]*VerifierDefinition
}

// NewRegistry is an empty registry.
func NewRegistry() *Registry {
	return &Registry{
		providers: map[string]*Definition{}, types: map[string]*CredentialType{}, owners: map[string]string{},
		stores: map[string]*StoreDefinition{}, consumers: map[string]*ConsumerDefinition{}, notifiers: map[string]*NotifierDefinition{},
		verifiers: map[string]*VerifierDefinition{},
	}
}

// AddProvider panics on a name that is taken: that is a defect of the program.
func (r *Registry) AddProvider(d Definition) {
	add(r.providers, d.Name, &d)
	for i := range d.Types {
		add(r.types, d.Types[i].Name, &d.Types[i])
		r.owners[d.Types[i].Name] = d.Name
	}
}

// AddStore panics on a name that is taken.
func (r *Registry) AddStore(d StoreDefinition) { add(r.stores, d.Name, &d) }

// AddConsumer panics on a name that is taken.
func (r *Registry) AddConsumer(d ConsumerDefinition) { add(r.consumers, d.Name, &d) }

// AddNotifier panics on a name that is taken.
func (r *Registry) AddNotifier(d NotifierDefinition) { add(r.notifiers, d.Name, &d) }

// AddVerifier panics on a name that is taken.
func (r *Registry) AddVerifier(d VerifierDefinition) { add(r.verifiers, d.Name, &d) }

// Provider finds a provider, nil if there is none.
func (r *Registry) Provider(name string) *Definition { return r.providers[name] }

// Type finds a credential type, nil if there is none.
func (r *Registry) Type(name string) *CredentialType { return r.types[name] }

// ProviderOf names the provider of a credential type.
func (r *Registry) ProviderOf(credentialType string) string { return r.owners[credentialType] }

// Store finds a kind of store, nil if there is none.
func (r *Registry) Store(name string) *StoreDefinition { return r.stores[name] }

// Consumer finds a kind of consumer, nil if there is none.
func (r *Registry) Consumer(name string) *ConsumerDefinition { return r.consumers[name] }

// Notifier finds a kind of notifier, nil if there is none.
func (r *Registry) Notifier(name string) *NotifierDefinition { return r.notifiers[name] }

// Verifier finds a kind of verifier, nil if there is none.
func (r *Registry) Verifier(name string) *VerifierDefinition { return r.verifiers[name] }

// Providers lists the names of all providers, sorted; likewise the others.
func (r *Registry) Providers() []string { return names(r.providers) }

// Types lists the names of all credential types, sorted.
func (r *Registry) Types() []string { return names(r.types) }

// Stores lists the names of all kinds of store, sorted.
func (r *Registry) Stores() []string { return names(r.stores) }

// Consumers lists the names of all kinds of consumer, sorted.
func (r *Registry) Consumers() []string { return names(r.consumers) }

// Notifiers lists the names of all kinds of notifier, sorted.
func (r *Registry) Notifiers() []string { return names(r.notifiers) }

// Verifiers lists the names of all kinds of verifier, sorted.
func (r *Registry) Verifiers() []string { return names(r.verifiers) }

func add[T any](m map[string]*T, name string, v *T) {
	if _, taken := m[name]; taken || name == "" {
		panic(fmt.Sprintf("provider registry: %q is empty or taken", name))
	}
	m[name] = v
}

func names[T any](m map[string]*T) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
