/**
 * An authority, the certificates it gives to nodes, and how one authority follows another: the new one's key is certified by the
 * old one too (`crossSign`), so that who trusts only the old one believes the new one's certificates meanwhile.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
  X509Certificate,
} from 'node:crypto';
import { invalid } from '../../errors.js';
import { nameOf, parse, parseAll, partsOf, publicKeyOf, write } from './certificate.js';
import type { Authority, CertificateRequest, Certified, NodeIdentity, Role } from './contract.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Swarm's: an authority lives 20 years, no node's certificate less than an hour. */
const AUTHORITY_LIFE = 20 * 365 * DAY;
const SHORTEST_LIFE = HOUR;
/** Clocks of nodes differ. */
const BACK_DATED = HOUR;
const AUTHORITY_NAME = 'swarm-ca';

/** A new P-256 key, PKCS #8 in PEM. */
export const generateKey = (): string =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();

export const createAuthority = (now: number): Authority => {
  const key = generateKey();
  const signer = createPrivateKey(key);
  const name = nameOf({ commonName: AUTHORITY_NAME });
  const certificate = write(
    { subject: name, publicKey: publicKeyOf(signer), from: now - BACK_DATED, to: now + AUTHORITY_LIFE },
    { name, key: signer, keyId: undefined },
  );
  return { certificate, key };
};

const issuerOf = ({ certificate, key }: Authority) => {
  const { subject, keyId } = partsOf(parse(certificate));
  return { name: subject, key: createPrivateKey(key), keyId };
};

/** What is signed to show that one has the key. */
const proofOf = (publicKey: string): Buffer => Buffer.from(`viaduct certificate request\n${publicKey}`);

/** For a node: `key` as of `generateKey`, which stays there. */
export const requestCertificate = (key: string): CertificateRequest => {
  const signer = createPrivateKey(key);
  const publicKey = createPublicKey(signer).export({ type: 'spki', format: 'pem' }).toString();
  return { publicKey, proof: sign('sha256', proofOf(publicKey), signer).toString('base64') };
};

/** Longer than any SPKI of P-256 in PEM: 178 characters. */
const LONGEST_KEY = 1_000;

const keyIn = ({ publicKey, proof }: CertificateRequest): KeyObject => {
  if (publicKey.length > LONGEST_KEY || proof.length > LONGEST_KEY)
    throw invalid('the certificate request is too long');
  let key: KeyObject;
  try {
    key = createPublicKey(publicKey);
  } catch (cause) {
    throw invalid('the certificate request has no public key in PEM', cause);
  }
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw invalid('the certificate request’s key is not of the curve P-256');
  if (!verify('sha256', proofOf(publicKey), key, Buffer.from(proof, 'base64')))
    throw invalid('the certificate request is not signed by its own key');
  return key;
};

const UNITS: Readonly<Record<Role, string>> = { manager: 'swarm-manager', worker: 'swarm-worker' };

/**
 * The host name under which a role is reached in TLS: clients of managers ask for `hostOf('manager')`, and etcd admits its peers
 * by it.
 */
export const hostOf = (role: Role): string => UNITS[role];

/** The node's certificate as PEM. Throws invalid where the request is not in order. */
export const issue = (authority: Authority, request: CertificateRequest, of: Certified): string => {
  const key = keyIn(request);
  const { nodeId, role, clusterId, addresses, now } = of;
  const life = Math.max(of.validFor, SHORTEST_LIFE);
  const authorityEnds = Date.parse(parse(authority.certificate).validTo);
  return write(
    {
      subject: nameOf({ organization: clusterId, unit: UNITS[role], commonName: nodeId }),
      publicKey: key.export({ type: 'spki', format: 'der' }),
      from: now - BACK_DATED,
      to: Math.min(now + life, authorityEnds),
      node: {
        hosts: [UNITS[role], nodeId],
        // Members of etcd whose peers' port is on the loopback are looked up by that address.
        addresses: [...new Set(role === 'manager' ? [...addresses, '127.0.0.1'] : addresses)],
      },
    },
    issuerOf(authority),
  );
};

/** The new authority's certificate as the old one's word, the bridge: to be sent behind certificates that the new one gives. */
export const crossSign = (old: Authority, next: string, now: number): string => {
  const certificate = parse(next);
  const { subject, publicKey } = partsOf(certificate);
  const ends = Math.min(Date.parse(certificate.validTo), Date.parse(parse(old.certificate).validTo));
  return write({ subject, publicKey, from: now - BACK_DATED, to: ends }, issuerOf(old));
};

/**
 * An authority of the user's own (`docker swarm ca --ca-cert --ca-key`). Throws invalid where it is none that everything can be judged by
 * and that another one can follow, where the key is another's, or where its time is not now.
 */
export const readAuthority = (certificate: string, key: string, now: number): Authority => {
  const parsed = parse(certificate);
  if (parseAll(certificate).length > 1)
    throw invalid('the desired CA certificate cannot contain multiple certificates');
  if (!parsed.ca) throw invalid('the certificate is not an authority’s: it may not sign others');
  if (!parsed.checkIssued(parsed) || !parsed.verify(parsed.publicKey))
    throw invalid('the authority’s certificate is by another authority: give that one, the root');
  if (partsOf(parsed).pathLength === 0)
    throw invalid(
      'the authority’s certificate allows none below it (pathlen:0), so no other could ever take its place: give one without that limit',
    );
  let signer: KeyObject;
  try {
    signer = createPrivateKey(key);
  } catch (cause) {
    throw invalid('the authority’s key is not a private key in PEM', cause);
  }
  if (!parsed.checkPrivateKey(signer)) throw invalid('the authority’s key is not the one of its certificate');
  if (now < Date.parse(parsed.validFrom) || now > Date.parse(parsed.validTo))
    throw invalid(`the authority’s certificate is valid from ${parsed.validFrom} to ${parsed.validTo} only`);
  return {
    certificate: parsed.toString(),
    key: signer.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
};

/** An id as this project and swarm make them; what another authority's customers write into certificates is not one. */
const ID = '([0-9a-z]{1,64})';
const SUBJECT = new RegExp(`^O=${ID}\\nOU=swarm-(manager|worker)\\nCN=${ID}$`);

/**
 * What a certificate says of a node; undefined: it is not a node's. Believe it only when TLS has checked it against the
 * authorities.
 */
export const identityOf = (certificate: string | Buffer | X509Certificate): NodeIdentity | undefined => {
  const parsed = certificate instanceof X509Certificate ? certificate : parse(certificate);
  const [, clusterId, role, nodeId] = SUBJECT.exec(parsed.subject) ?? [];
  if (parsed.ca || !clusterId || !nodeId || (role !== 'manager' && role !== 'worker')) return undefined;
  return { clusterId, role, nodeId };
};

/**
 * When to renew it: at some moment between half and four fifths of its life, so that not all nodes come at once. `chance`: from
 * 0 to 1.
 */
export const renewalOf = (certificate: string, chance: number): number => {
  const { validFrom, validTo } = parse(certificate);
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  return from + (to - from) * (0.5 + 0.3 * chance);
};

/** Docker's `TLSInfo`: by whom a node's certificate is, in base64, and whom the node trusts. `certificate`: with its bridges. */
export const issuerOfNode = (
  certificate: string,
  trust: string,
): {
  readonly TrustRoot: string;
  readonly CertIssuerSubject: string;
  readonly CertIssuerPublicKey: string;
} => {
  const parsed = parse(certificate);
  const { issuer } = partsOf(parsed);
  // While it takes another's place, the one that gave it is known by its bridge alone.
  const authority = [...parseAll(certificate), ...parseAll(trust)].find(
    (each) => parsed.checkIssued(each) && parsed.verify(each.publicKey),
  );
  return {
    TrustRoot: trust,
    CertIssuerSubject: issuer.toString('base64'),
    CertIssuerPublicKey: authority ? partsOf(authority).publicKey.toString('base64') : '',
  };
};
