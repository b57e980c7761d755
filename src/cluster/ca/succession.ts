/**
 * How one authority takes another's place while all nodes go on trusting each other. From its beginning certificates are given by the
 * next authority, and its bridge, the former one's certificate of it, is sent behind each: whoever trusts either of the two believes such a
 * certificate. So when every node has one, all are told to trust the next authority alone, and it does not matter who learns of it first.
 * Bridges are sent on until every node says that it does. Pure.
 */

import { invalid } from '../../errors.js';
import type { Succession } from '../../model/swarm/cluster.js';
import type { NodeDescription } from '../../model/swarm/node.js';
import { crossSign } from './authority.js';
import { parse, partsOf } from './certificate.js';
import type { Authority, Signers } from './contract.js';

/** What everybody may know of it, and what managers alone. */
export interface Authorities {
  readonly succession: Succession;
  readonly signers: Signers;
}

/** The certificate of whoever gives certificates. */
export const issuerIn = ({ authorities, rotation }: Succession): string => rotation?.authority ?? authorities;

/** What is sent behind the certificates that it gives. */
export const bridgesIn = ({ rotation, bridges = '' }: Succession): string =>
  (rotation?.bridge ?? '') + bridges;

/** As nodes tell of theirs: both in base64. */
export const namesOf = (authority: string): { readonly subject: string; readonly publicKey: string } => {
  const { subject, publicKey } = partsOf(parse(authority));
  return { subject: subject.toString('base64'), publicKey: publicKey.toString('base64') };
};

/**
 * `next` is to take the place of the one that is trusted, and of whatever else was to take it; where it is that one itself, all stays with
 * it. Throws invalid where it has the key of the one that is trusted, as certificates of both could not be told apart.
 */
export const replaceAuthority = (
  { succession, signers }: Authorities,
  next: Authority,
  now: number,
): Authorities => {
  const { rotation, ...trusted } = succession;
  if (next.certificate === trusted.authorities) return { succession: trusted, signers: { authority: next } };
  if (next.certificate === rotation?.authority) return { succession, signers: { ...signers, next } };
  if (namesOf(next.certificate).publicKey === namesOf(trusted.authorities).publicKey)
    throw invalid('Cannot update to a cert with an identical key');
  const bridge = crossSign(signers.authority, next.certificate, now);
  return {
    succession: { ...trusted, rotation: { authority: next.certificate, bridge } },
    signers: { authority: signers.authority, next },
  };
};

/** What is next, by what all nodes of the cluster say of themselves; undefined: one that has said nothing yet, or none any more. */
export const nextStep = (
  succession: Succession,
  nodes: readonly (NodeDescription['tls'] | undefined)[],
): 'trust' | 'settle' | undefined => {
  const { rotation, bridges, authorities } = succession;
  if (rotation) {
    const { subject, publicKey } = namesOf(rotation.authority);
    return nodes.every((tls) => tls?.issuerPublicKey === publicKey && tls.issuerSubject === subject)
      ? 'trust'
      : undefined;
  }
  return bridges && nodes.every((tls) => tls?.trustRoot === authorities) ? 'settle' : undefined;
};

/** After the step: the next authority is the one that is trusted, or no bridges are sent any more. */
export const afterStep = (
  { succession, signers }: Authorities,
  step: 'trust' | 'settle',
): Authorities | undefined => {
  const { authorities, rotation, bridges = '' } = succession;
  if (step === 'settle') return { succession: { authorities }, signers };
  if (!rotation || !signers.next) return undefined;
  return {
    succession: { authorities: rotation.authority, bridges: rotation.bridge + bridges },
    signers: { authority: signers.next },
  };
};
