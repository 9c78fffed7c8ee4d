// An OpenID Connect provider by somebody else, configured by one JSON argument; prints its issuer when it listens.
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const given = JSON.parse(process.argv[2]);
const issuer = `http://127.0.0.1:${given.port}`;
const jwk = (type, options, more) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig', ...more });
const keys = [
  jwk('rsa', { modulusLength: 2048 }, { alg: 'RS256', kid: 'rsa' }),
  jwk('ec', { namedCurve: 'P-256' }, { alg: 'ES256', kid: 'ec' }),
];

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'portal',
    client_secret: 'portal-secret-of-no-use-anywhere-else',
    redirect_uris: [given.redirect],
    id_token_signed_response_alg: given.id_token_alg,
    post_logout_redirect_uris: [given.signed_out],
  }],
  jwks: { keys },
  cookies: { keys: ['of no use anywhere else'] },
  conformIdTokenClaims: false,
  enabledJWA: { idTokenSigningAlgValues: ['HS256', 'RS256', 'ES256'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  features: {
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => given.audience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: '', audience: given.audience, accessTokenFormat: 'jwt', jwt: { sign: { alg: given.access_token_alg } } }),
    },
  },
  extraTokenClaims: () => given.access_claims,
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...given.id_claims }) }),
});
provider.listen(given.port, '127.0.0.1', () => console.log(issuer));
