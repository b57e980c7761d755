/**
 * Certificates of a cluster's nodes, by authorities of its own, in swarm's form: the common name is the node's id, the unit its
 * role, the organization the cluster; all keys are P-256. Texts are PEM, times are milliseconds since 1970 and always given.
 */

export type Role = 'manager' | 'worker';

/** What a node's certificate says of it. */
export interface NodeIdentity {
  readonly nodeId: string;
  readonly role: Role;
  readonly clusterId: string;
}

export interface Authority {
  readonly certificate: string;
  /** PKCS #8 */
  readonly key: string;
}

/** Who gives certificates: the authority that all trust, or the one that takes its place. */
export interface Signers {
  readonly authority: Authority;
  readonly next?: Authority;
}

/** What a node asks to be certified: its public key (SPKI) and a signature by which it shows that it has the private one. */
export interface CertificateRequest {
  readonly publicKey: string;
  /** base64 */
  readonly proof: string;
}

/** What the authority says of whom. */
export interface Certified extends NodeIdentity {
  /** addresses under which it is reached: those that it advertises */
  readonly addresses: readonly string[];
  /** first moment; the certificate is valid an hour before it, as clocks differ */
  readonly now: number;
  /** how long from then; at least an hour */
  readonly validFor: number;
}

/** What a token says: whom to trust, and the secret that says as what one may join. */
export interface JoinToken {
  /** of the authorities' PEM, 32 bytes, in hexadecimal digits */
  readonly digest: string;
  /** 16 bytes, in hexadecimal digits */
  readonly secret: string;
}
