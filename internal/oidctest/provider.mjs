// A certified OpenID Connect provider for tests: whoever asks is logged in as
// login_hint, with the acr that was asked for and a password and a code as amr.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';

const [, , library, port] = process.argv;
const { default: Provider } = await import(library);
const issuer = `http://127.0.0.1:${port}`;
const key = (type, options, more) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), ...more });

const provider = new Provider(issuer, {
  clients: ['remint', 'other'].map((id) => ({
    client_id: id, redirect_uris: [`${issuer}/back`], token_endpoint_auth_method: 'none', application_type: 'native',
    response_types: ['code'], grant_types: ['authorization_code'],
  })),
  jwks: { keys: [key('rsa', { modulusLength: 2048 }, { alg: 'RS256', use: 'sig' })] },
  cookies: { keys: ['a cookie key for tests'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], acr: null, amr: null, auth_time: null },
  acrValues: ['urn:example:mfa', 'urn:example:pwd'],
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false }, claimsParameter: { enabled: true } },
  ttl: { IdToken: 600, AccessToken: 600, AuthorizationCode: 60, Grant: 600, Interaction: 600, Session: 600 },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: id !== 'unverified' }),
  }),
});
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const { params, grantId } = await provider.interactionDetails(ctx.req, ctx.res);
  const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: params.login_hint, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  grant.addOIDCClaims(['acr', 'amr', 'auth_time']);
  const result = {
    login: { accountId: params.login_hint, acr: params.acr_values, amr: ['pwd', 'otp'], ts: Math.floor(Date.now() / 1000) },
    consent: { grantId: await grant.save() },
  };
  ctx.respond = false;
  await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
});
createServer(provider.callback()).listen(Number(port), '127.0.0.1', () => console.log('ready'));
