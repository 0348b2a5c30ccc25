// A real OpenID Connect provider on a loopback port: it publishes discovery and keys over HTTP and gives
// JWT access tokens (RFC 9068) to clients that authenticate with their secret (RFC 6749 section 4.4).
import http from 'node:http';
import { generateKeyPair, exportJWK } from 'jose';
import Provider from 'oidc-provider';
import { freePort } from './process.mjs';
import { send } from './wire.mjs';

export const RESOURCE = 'urn:agents';
export const OTHER_RESOURCE = 'urn:billing';
export const TENANT_CLAIM = 'tenant';

const SECRET = 'a-secret-of-this-run';

const client = (id, algorithm) => ({
  client_id: id,
  client_secret: SECRET,
  id_token_signed_response_alg: algorithm,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
});

function configuration({ algorithm, keys, tenants }) {
  return {
    jwks: { keys },
    clients: Object.keys(tenants).map((id) => client(id, algorithm)),
    cookies: { keys: ['unused'] },
    extraTokenClaims: (_context, token) => ({ [TENANT_CLAIM]: tenants[token.clientId] }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => ({
          audience: resource,
          scope: '',
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: algorithm } },
        }),
      },
    },
    ttl: { ClientCredentials: 600 },
  };
}

export class OidcProvider {
  /** `tenants` maps client ids to the value of the tenant claim in their tokens. */
  static async start({ algorithm, tenants }) {
    const self = new OidcProvider();
    Object.assign(self, { algorithm, tenants, keys: [], generation: 0 });
    const port = await freePort();
    self.url = `http://127.0.0.1:${port}`;
    await self.rotate();
    self.port = port;
    await self.listen();
    return self;
  }

  /** Serves, at first and after stop(). */
  listen() {
    this.server = http.createServer((request, response) => this.answer(request, response));
    return new Promise((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
  }

  /** From now on signs with a new key and publishes it: beside the last one, or alone. */
  async rotate({ keepOld = true } = {}) {
    const { privateKey } = await generateKeyPair(this.algorithm, { extractable: true });
    const kid = `${this.algorithm}-key-${++this.generation}`;
    const jwk = { ...(await exportJWK(privateKey)), kid, alg: this.algorithm, use: 'sig' };
    this.keys = [jwk, ...(keepOld ? this.keys.slice(0, 1) : [])];
    this.answer = new Provider(this.url, configuration(this)).callback();
  }

  /** What a relying party does first: the discovery document and the key set it points to. */
  async discover() {
    const metadata = (await send(this.url, 'GET', '/.well-known/openid-configuration')).json;
    const { origin, pathname } = new URL(metadata.jwks_uri);
    return { metadata, jwks: (await send(origin, 'GET', pathname)).text };
  }

  /** An access token of a client, for an audience. */
  async token(clientId, resource = RESOURCE) {
    const credentials = Buffer.from(`${clientId}:${SECRET}`).toString('base64');
    const answer = await send(this.url, 'POST', '/token', {
      headers: { Authorization: `Basic ${credentials}`, 'Content-Type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource }).toString(),
    });
    if (answer.status !== 200) throw new Error(`token endpoint: ${answer.status} ${answer.text}`);
    return answer.json.access_token;
  }

  stop() {
    return new Promise((resolve) => {
      this.server.close(resolve);
      this.server.closeAllConnections();
    });
  }
}
