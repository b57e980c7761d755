/** Certificates, tokens and seals of a cluster, judged by OpenSSL: by Node's own TLS and by its program. */
import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { describe, expect, test } from 'vitest';
import {
  createAuthority,
  crossSign,
  generateKey,
  hostOf,
  identityOf,
  issue,
  issuerOfNode,
  readAuthority,
  renewalOf,
  requestCertificate,
} from '../../src/cluster/ca/authority.js';
import type { Authority, Certified, Role } from '../../src/cluster/ca/contract.js';
import { seal, unseal } from '../../src/cluster/ca/seal.js';
import {
  formatToken,
  formatUnlockKey,
  newSecret,
  newUnlockKey,
  parseToken,
  parseUnlockKey,
  sameSecret,
  trustDigest,
} from '../../src/cluster/ca/tokens.js';

const NOW = Date.now();
const DAY = 86_400_000;
const HOUR = 3_600_000;

const certified = (role: Role, more: Partial<Certified> = {}): Certified => ({
  nodeId: `${role}1`,
  role,
  clusterId: 'c1',
  addresses: ['192.0.2.1', '2001:db8:1::1'],
  now: NOW,
  validFor: 90 * DAY,
  ...more,
});

const nodeOf = (authority: Authority, of: Certified) => {
  const key = generateKey();
  return { key, cert: issue(authority, requestCertificate(key), of) };
};

interface End {
  readonly key: string;
  readonly cert: string;
}

/** A mutual TLS connection: what each end thinks of the other. */
const meet = async (
  server: End,
  client: End,
  trust: string,
  servername: string,
): Promise<readonly [string, string]> => {
  const listener = createServer({ ...server, ca: trust, requestCert: true, rejectUnauthorized: false });
  const judged = new Promise<string>((resolve) => {
    listener.on('secureConnection', (socket) => {
      socket.on('error', () => {});
      resolve(socket.authorized ? 'ok' : String(socket.authorizationError));
      socket.end();
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as { port: number };
  const opinion = await new Promise<string>((resolve) => {
    const socket = connect({ ...client, port, host: '127.0.0.1', ca: trust, servername });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('secureConnect', () => resolve('ok'));
    socket.resume();
  });
  const result = [await Promise.race([judged, opinion === 'ok' ? judged : 'not asked']), opinion] as const;
  listener.close();
  return result;
};

describe('certificates', () => {
  const authority = createAuthority(NOW);

  test('an authority of 20 years, which openssl verifies nodes by, for both directions', () => {
    const root = new X509Certificate(authority.certificate);
    expect(root.ca).toBe(true);
    expect(root.checkIssued(root) && root.verify(root.publicKey)).toBe(true);
    expect(Date.parse(root.validTo) - NOW).toBeGreaterThan(19.9 * 365 * DAY);
    const directory = mkdtempSync(join(tmpdir(), 'viaduct-ca-'));
    try {
      writeFileSync(join(directory, 'ca.pem'), authority.certificate);
      writeFileSync(join(directory, 'node.pem'), nodeOf(authority, certified('manager')).cert);
      for (const purpose of ['sslserver', 'sslclient']) {
        const args = ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', 'ca.pem', 'node.pem'];
        expect(execFileSync('openssl', args, { cwd: directory, encoding: 'utf8' })).toContain('node.pem: OK');
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('a node’s certificate says who it is, where, in what role and until when', () => {
    const { cert } = nodeOf(authority, certified('manager'));
    const parsed = new X509Certificate(cert);
    expect(identityOf(cert)).toEqual({ nodeId: 'manager1', role: 'manager', clusterId: 'c1' });
    expect(parsed.subjectAltName).toBe(
      'DNS:swarm-manager, DNS:manager1, IP Address:192.0.2.1, IP Address:2001:DB8:1:0:0:0:0:1, IP Address:127.0.0.1',
    );
    expect(parsed.ca).toBe(false);
    expect(NOW - Date.parse(parsed.validFrom)).toBeGreaterThanOrEqual(HOUR);
    expect(NOW - Date.parse(parsed.validFrom)).toBeLessThan(HOUR + 1_000);
    expect(NOW + 90 * DAY - Date.parse(parsed.validTo)).toBeLessThan(1_000);
    expect(new X509Certificate(nodeOf(authority, certified('worker')).cert).subjectAltName).not.toContain(
      '127.0.0.1',
    );
  });

  test('lives an hour at least, and never longer than its authority', () => {
    const short = new X509Certificate(nodeOf(authority, certified('worker', { validFor: 1 })).cert);
    expect(Date.parse(short.validTo) - NOW).toBeGreaterThan(HOUR - 1_000);
    const long = new X509Certificate(
      nodeOf(authority, certified('worker', { validFor: 100 * 365 * DAY })).cert,
    );
    expect(long.validTo).toBe(new X509Certificate(authority.certificate).validTo);
  });

  test('is renewed between half and four fifths of its life', () => {
    const { cert } = nodeOf(authority, certified('worker'));
    const part = (chance: number) => (renewalOf(cert, chance) - (NOW - HOUR)) / (90 * DAY + HOUR);
    expect(part(0)).toBeCloseTo(0.5, 3);
    expect(part(1)).toBeCloseTo(0.8, 3);
  });

  test('TLS works both ways by it, by role, and not by another authority’s, nor after its time', async () => {
    const [manager, worker] = [certified('manager'), certified('worker')].map((of) => nodeOf(authority, of));
    const stranger = nodeOf(createAuthority(NOW), certified('worker'));
    const expired = nodeOf(authority, certified('worker', { now: NOW - 10 * DAY, validFor: DAY }));
    if (!manager || !worker) throw new Error('unreachable');
    const trust = authority.certificate;
    expect(await meet(manager, worker, trust, hostOf('manager'))).toEqual(['ok', 'ok']);
    expect((await meet(worker, manager, trust, hostOf('manager')))[1]).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect((await meet(manager, stranger, trust, hostOf('manager')))[0]).toMatch(/^(UNABLE|CERT|SELF)/);
    expect((await meet(manager, expired, trust, hostOf('manager')))[0]).toBe('CERT_HAS_EXPIRED');
  });

  test('a new authority, certified by the old one, is believed by who trusts only that', async () => {
    const next = createAuthority(NOW);
    const bridge = crossSign(authority, next.certificate, NOW);
    const manager = nodeOf(next, certified('manager'));
    const chained = { ...manager, cert: manager.cert + bridge };
    const old = nodeOf(authority, certified('worker'));
    // The old node trusts the old one alone; the new one trusts both.
    expect((await meet(chained, old, authority.certificate, hostOf('manager')))[1]).toBe('ok');
    expect((await meet(manager, old, authority.certificate, hostOf('manager')))[1]).not.toBe('ok');
    const both = authority.certificate + next.certificate;
    expect(await meet(chained, old, both, hostOf('manager'))).toEqual(['ok', 'ok']);
    expect(await meet(old, chained, both, 'worker1')).toEqual(['ok', 'ok']);
    expect(
      await meet(manager, nodeOf(next, certified('worker')), next.certificate, hostOf('manager')),
    ).toEqual(['ok', 'ok']);
  });

  test('Docker’s TLSInfo names the one of several authorities that gave it', () => {
    const next = createAuthority(NOW);
    const { cert } = nodeOf(next, certified('worker'));
    const trust = authority.certificate + next.certificate;
    const { TrustRoot, CertIssuerSubject, CertIssuerPublicKey } = issuerOfNode(cert, trust);
    const spki = new X509Certificate(next.certificate).publicKey.export({ type: 'spki', format: 'der' });
    expect(TrustRoot).toBe(trust);
    expect(CertIssuerPublicKey).toBe(spki.toString('base64'));
    expect(Buffer.from(CertIssuerSubject, 'base64').toString('latin1')).toContain('swarm-ca');
  });

  test('a request without its key, of another curve, or that is none is refused', () => {
    const [mine, other] = [requestCertificate(generateKey()), requestCertificate(generateKey())];
    const of = certified('worker');
    const words = (request: typeof mine) => () => issue(authority, request, of);
    expect(words({ ...mine, proof: other.proof })).toThrow('not signed by its own key');
    expect(words({ ...mine, publicKey: 'x' })).toThrow('no public key');
    expect(words({ ...mine, publicKey: 'x'.repeat(10_000) })).toThrow('too long');
    const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
    expect(words(requestCertificate(p384.export({ type: 'pkcs8', format: 'pem' }).toString()))).toThrow(
      'P-256',
    );
  });

  test('an authority of the user’s own, RSA too: checked, then used', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'viaduct-ca-'));
    try {
      const openssl = (...args: string[]) =>
        execFileSync('openssl', args, {
          cwd: directory,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        });
      const subject = ['-subj', '/C=DE/O=Example Org/CN=Our CA', '-days', '30', '-nodes'];
      openssl('req', '-x509', '-newkey', 'rsa:2048', '-keyout', 'ca.key', '-out', 'ca.pem', ...subject);
      const [pem, key] = [openssl('x509', '-in', 'ca.pem'), openssl('pkey', '-in', 'ca.key')];
      const now = Date.now() + 1_000; // openssl’s first moment is its own
      const own = readAuthority(pem, key, now);
      const manager = nodeOf(own, certified('manager'));
      expect(await meet(manager, nodeOf(own, certified('worker')), pem, hostOf('manager'))).toEqual([
        'ok',
        'ok',
      ]);
      expect(() => readAuthority(pem, generateKey(), now)).toThrow('not the one of its certificate');
      expect(() => readAuthority(pem, key, NOW + 31 * DAY)).toThrow('valid from');
      expect(() => readAuthority(manager.cert, manager.key, NOW)).toThrow('not an authority’s');
      expect(() => readAuthority('x', key, NOW)).toThrow('not a certificate');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('what another customer of such an authority calls himself is no node', () => {
    const own = createAuthority(NOW);
    const spki = generateKey();
    const cert = (more: Partial<Certified>) =>
      issue(own, requestCertificate(spki), certified('worker', more));
    expect(identityOf(cert({}))?.nodeId).toBe('worker1');
    expect(identityOf(cert({ nodeId: 'a\nOU=swarm-manager' }))).toBeUndefined();
    expect(identityOf(cert({ clusterId: 'x, OU=swarm-manager' }))).toBeUndefined();
    expect(identityOf(own.certificate)).toBeUndefined();
    expect(createPrivateKey(own.key).asymmetricKeyType).toBe('ec');
  });
});

describe('tokens and keys', () => {
  const { certificate } = createAuthority(NOW);

  test('a join token has Docker’s form and says what was put in', () => {
    const token = { digest: trustDigest(certificate), secret: newSecret() };
    const text = formatToken(token);
    expect(text).toMatch(/^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/);
    expect(parseToken(`${text}\n`)).toEqual(token);
    const small = { digest: '0'.repeat(63).concat('1'), secret: '0'.repeat(32) };
    expect(parseToken(formatToken(small))).toEqual(small);
  });

  test('the digest is of what the authorities are, not of how the text is written', () => {
    expect(trustDigest(`\r\n${certificate.replaceAll('\n', '\r\n')}\n\n`)).toBe(trustDigest(certificate));
    expect(trustDigest(certificate + createAuthority(NOW).certificate)).not.toBe(trustDigest(certificate));
  });

  test.each([
    '',
    'SWMTKN-1-x-y',
    `SWMTKN-2-${'0'.repeat(50)}-${'0'.repeat(25)}`,
    `SWMTKN-1-${'z'.repeat(50)}-${'0'.repeat(25)}`, // beyond 32 bytes
    `SWMTKN-1-${'0'.repeat(50)}-${'z'.repeat(25)}`, // beyond 16
    `SWMTKN-1-${'0'.repeat(50)}-${'0'.repeat(24)}A`,
  ])('refused: %s', (text) => {
    expect(() => parseToken(text)).toThrow('invalid join token');
  });

  test('secrets are compared whole', () => {
    const secret = newSecret();
    expect(sameSecret(secret, secret)).toBe(true);
    expect(sameSecret(secret, `${secret}0`)).toBe(false);
    expect(sameSecret(secret, newSecret())).toBe(false);
  });

  test('an unlock key has Docker’s form', () => {
    const key = newUnlockKey();
    expect(formatUnlockKey(key)).toMatch(/^SWMKEY-1-[A-Za-z0-9+/]{43}$/);
    expect(parseUnlockKey(formatUnlockKey(key))).toEqual(key);
    for (const text of ['', 'SWMKEY-1-x', formatUnlockKey(key).replace('1-', '2-')])
      expect(() => parseUnlockKey(text)).toThrow('invalid key string');
  });

  test('what is sealed is read only with its key, in its place, whole', () => {
    const key = newUnlockKey();
    const sealed = seal(key, 'geheim ✓', 'secret/1');
    expect(sealed).not.toContain('geheim');
    expect(unseal(key, sealed, 'secret/1')).toBe('geheim ✓');
    expect(unseal(key, sealed, 'secret/2')).toBeUndefined();
    expect(unseal(newUnlockKey(), sealed, 'secret/1')).toBeUndefined();
    expect(unseal(key, seal(key, '', 'x'), 'x')).toBe('');
    for (const text of ['', '1.', '2.AAAA', sealed.slice(0, -8)])
      expect(unseal(key, text, 'secret/1')).toBeUndefined();
  });
});
