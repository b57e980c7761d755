/**
 * X.509 certificates as bytes (RFC 5280): what is signed, its extensions, and the few parts that are read from one. Node's own
 * crypto signs and checks; it only cannot write certificates.
 */
import { createHash, createPublicKey, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import { invalid } from '../../errors.js';
import { parseAddress, shown, width } from '../../model/address.js';
import * as der from './der.js';

const OID = {
  organization: '2.5.4.10',
  unit: '2.5.4.11',
  commonName: '2.5.4.3',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  rsaSha256: '1.2.840.113549.1.1.11',
  subjectKey: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectNames: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKey: '2.5.29.35',
  extendedUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** A distinguished name; its order is kept. */
export const nameOf = (parts: Partial<Record<'organization' | 'unit' | 'commonName', string>>): Buffer =>
  der.sequence(
    ...(['organization', 'unit', 'commonName'] as const).flatMap((part) => {
      const value = parts[part];
      return value === undefined
        ? []
        : [der.element(der.TAG.set, der.sequence(der.oid(OID[part]), der.utf8(value)))];
    }),
  );

const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  der.sequence(der.oid(id), ...(critical ? [der.truth()] : []), der.octetString(value));

/** RFC 5280 4.2.1.2: SHA-1 of the key's bits names it; it protects nothing. */
const keyIdentifier = (publicKey: Buffer): Buffer => {
  const [, bits] = der.elementsOf(der.elementsOf(publicKey)[0]?.content ?? Buffer.alloc(0));
  return createHash('sha1')
    .update(bits?.content.subarray(1) ?? publicKey)
    .digest();
};

/** Bits of keyUsage (RFC 5280 4.2.1.3), of which the first is the highest. */
const USAGE = { digitalSignature: 0x80, certificatesAndLists: 0x06 } as const;

const AUTHORITY_EXTENSIONS = [
  extension(OID.basicConstraints, true, der.sequence(der.truth())),
  extension(OID.keyUsage, true, der.bitString(Buffer.from([USAGE.certificatesAndLists]), 1)),
];

/** For whoever both calls and is called: no authority, TLS as server and as client. */
const NODE_EXTENSIONS = [
  extension(OID.basicConstraints, true, der.sequence()),
  extension(OID.keyUsage, true, der.bitString(Buffer.from([USAGE.digitalSignature]), 7)),
  extension(OID.extendedUsage, false, der.sequence(der.oid(OID.serverAuth), der.oid(OID.clientAuth))),
];

/** GeneralName: `[2]` a DNS name, `[7]` an address. */
const alternativeNames = (hosts: readonly string[], addresses: readonly string[]): Buffer =>
  extension(
    OID.subjectNames,
    false,
    der.sequence(
      ...hosts.map((host) => der.element(der.context(2, false), Buffer.from(host))),
      ...addresses.map((address) => der.element(der.context(7, false), addressBytes(address))),
    ),
  );

const addressBytes = (text: string): Buffer => {
  const address = parseAddress(text);
  if (!address) throw invalid(`${shown(text)} is not an IP address`);
  return Buffer.from(address.value.toString(16).padStart(width(address.family) / 4, '0'), 'hex');
};

/** Who signs. `keyId`: as its own certificate names its key, so that two authorities of one name are told apart. */
export interface Issuer {
  readonly name: Buffer;
  readonly key: KeyObject;
  readonly keyId: Buffer | undefined;
}

export interface Contents {
  readonly subject: Buffer;
  /** SPKI as DER */
  readonly publicKey: Buffer;
  /** milliseconds */
  readonly from: number;
  readonly to: number;
  /** undefined: an authority */
  readonly node?: { readonly hosts: readonly string[]; readonly addresses: readonly string[] };
}

const algorithmOf = (key: KeyObject): Buffer =>
  key.asymmetricKeyType === 'rsa'
    ? der.sequence(der.oid(OID.rsaSha256), der.nothing())
    : der.sequence(der.oid(OID.ecdsaSha256));

const VERSION_3 = der.element(der.context(0), der.integer(Buffer.from([2])));

/** The certificate as PEM. */
export const write = (contents: Contents, issuer: Issuer): string => {
  const { subject, publicKey, from, to, node } = contents;
  const algorithm = algorithmOf(issuer.key);
  const authorityKey = issuer.keyId
    ? [extension(OID.authorityKey, false, der.sequence(der.element(der.context(0, false), issuer.keyId)))]
    : [];
  const signed = der.sequence(
    VERSION_3,
    der.integer(randomBytes(16)),
    algorithm,
    issuer.name,
    der.sequence(der.time(from), der.time(to)),
    subject,
    publicKey,
    der.element(
      der.context(3),
      der.sequence(
        ...(node ? [...NODE_EXTENSIONS, alternativeNames(node.hosts, node.addresses)] : AUTHORITY_EXTENSIONS),
        extension(OID.subjectKey, false, der.octetString(keyIdentifier(publicKey))),
        ...authorityKey,
      ),
    ),
  );
  const whole = der.sequence(signed, algorithm, der.bitString(sign('sha256', signed, issuer.key)));
  return pem(whole);
};

const pem = (bytes: Buffer): string => {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
};

/** Throws invalid. */
export const parse = (certificate: string | Buffer): X509Certificate => {
  try {
    return new X509Certificate(certificate);
  } catch (cause) {
    throw invalid('this is not a certificate in PEM', cause);
  }
};

/** The certificates of a text, each as OpenSSL writes it. Throws invalid, also where there is none. */
export const parseAll = (text: string): readonly X509Certificate[] => {
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (found.length === 0) throw invalid('there is no certificate in PEM');
  return found.map(parse);
};

/** `subject` and `publicKey` byte for byte as they are in the certificate, and its name for its key. */
export const partsOf = (
  certificate: X509Certificate,
): {
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly publicKey: Buffer;
  readonly keyId: Buffer | undefined;
  /** how many authorities may lie between it and a node's certificate; undefined: any number */
  readonly pathLength: number | undefined;
} => {
  const [signed] = der.elementsOf(der.elementsOf(certificate.raw)[0]?.content ?? Buffer.alloc(0));
  const fields = der.elementsOf(signed?.content ?? Buffer.alloc(0));
  // Version 3 says so in a `[0]` of its own; former ones have neither that nor extensions.
  const [, , issuer, , subject, publicKey, ...rest] =
    fields[0]?.tag === der.context(0) ? fields.slice(1) : fields;
  if (!issuer || !subject || !publicKey) throw invalid('this certificate is not complete');
  const extensions = rest.find(({ tag }) => tag === der.context(3));
  return {
    subject: subject.whole,
    issuer: issuer.whole,
    publicKey: publicKey.whole,
    keyId: extensions && der.elementsOf(extensionIn(extensions.content, OID.subjectKey))[0]?.content,
    pathLength: extensions && pathLengthIn(extensionIn(extensions.content, OID.basicConstraints)),
  };
};

/** Empty: there is none of this kind. */
const extensionIn = (extensions: Buffer, kind: string): Buffer => {
  const wanted = der.oid(kind);
  for (const { content } of der.elementsOf(der.elementsOf(extensions)[0]?.content ?? Buffer.alloc(0))) {
    const [id, ...rest] = der.elementsOf(content);
    if (id?.whole.equals(wanted)) return rest.at(-1)?.content ?? Buffer.alloc(0);
  }
  return Buffer.alloc(0);
};

/** RFC 5280 4.2.1.9: a sequence of whether it is an authority and, perhaps, a number. */
const pathLengthIn = (constraints: Buffer): number | undefined => {
  const [, length] = der.elementsOf(der.elementsOf(constraints)[0]?.content ?? Buffer.alloc(0));
  return length && Number.parseInt(length.content.toString('hex'), 16);
};

/** The public key of a private one, as DER. */
export const publicKeyOf = (key: KeyObject): Buffer =>
  createPublicKey(key).export({ type: 'spki', format: 'der' });
