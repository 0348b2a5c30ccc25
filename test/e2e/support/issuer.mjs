// A token issuer with keys of its own, for tokens that a real provider would never sign: expired, for
// other audiences, with forged algorithms.
import { createHmac, randomUUID } from 'node:crypto';
import { SignJWT, calculateJwkThumbprint, exportJWK, exportSPKI, generateKeyPair } from 'jose';

export const AUDIENCE = 'agents';
export const TENANT_CLAIM = 'org_id';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export class Issuer {
  /** An issuer named `url` that signs with a new key of `algorithm` (ES256 or RS256). */
  static async create(url, algorithm = 'ES256') {
    const issuer = new Issuer();
    issuer.url = url;
    issuer.algorithm = algorithm;
    issuer.keys = await generateKeyPair(algorithm);
    const jwk = await exportJWK(issuer.keys.publicKey);
    issuer.kid = await calculateJwkThumbprint(jwk);
    issuer.jwks = { keys: [{ ...jwk, kid: issuer.kid, alg: algorithm, use: 'sig' }] };
    return issuer;
  }

  header() {
    return { alg: this.algorithm, typ: 'JWT', kid: this.kid };
  }

  claims(tenant, subject, more = {}) {
    const now = Math.floor(Date.now() / 1000);
    return {
      iss: this.url,
      aud: AUDIENCE,
      sub: subject,
      [TENANT_CLAIM]: tenant,
      iat: now,
      exp: now + 600,
      jti: randomUUID(),
      ...more,
    };
  }

  /** A token with exactly these claims, signed by this issuer's key or by another one. */
  sign(claims, key = this.keys.privateKey) {
    return new SignJWT(claims).setProtectedHeader(this.header()).sign(key);
  }

  /** A good token, unless `more` spoils it: claims that replace the usual ones. */
  token(tenant, subject = 'alice', more = {}) {
    return this.sign(this.claims(tenant, subject, more));
  }

  /** No signature at all, and an algorithm that says so. */
  unsigned(tenant) {
    return `${encode({ alg: 'none' })}.${encode(this.claims(tenant, 'mallory'))}.`;
  }

  /** alg=none over what still has the shape of a signature. */
  async none(tenant) {
    const signature = (await this.token(tenant)).split('.')[2];
    return `${encode({ ...this.header(), alg: 'none' })}.${encode(this.claims(tenant, 'mallory'))}.${signature}`;
  }

  /** HS256 keyed with the public key's PEM: works where the token may choose the algorithm. */
  async hs256(tenant) {
    const pem = await exportSPKI(this.keys.publicKey);
    const signed = `${encode({ ...this.header(), alg: 'HS256' })}.${encode(this.claims(tenant, 'mallory'))}`;
    return `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`;
  }

  /** The right header over another key's signature. */
  async otherKey(tenant) {
    const { privateKey } = await generateKeyPair(this.algorithm);
    return this.sign(this.claims(tenant, 'mallory'), privateKey);
  }

  /** A good token whose payload was exchanged afterwards. */
  async tampered(signedFor, changedTo) {
    const [header, , signature] = (await this.token(signedFor)).split('.');
    return `${header}.${encode(this.claims(changedTo, 'mallory'))}.${signature}`;
  }
}
