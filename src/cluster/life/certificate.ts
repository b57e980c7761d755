/**
 * A node's certificate, which says its role and is asked for anew before it ends or when another authority gives them, and the authorities
 * that it trusts.
 */
import type { Logger } from '../../log.js';
import { generateKey, identityOf, issuerOfNode, renewalOf, requestCertificate } from '../ca/authority.js';
import type { Connection } from '../session/connect.js';
import type { NodeDescription, Role } from '../session/protocol.js';
import type { NodeFiles } from './files.js';

export interface CertificateSettings {
  readonly files: NodeFiles;
  /** `host:port` of this node */
  readonly advertise: string;
  readonly log: Logger;
  readonly now: () => number;
  /** There is a new one. */
  readonly changed: () => void;
  /** It trusts others than before. */
  readonly trusts: () => void;
  /** undefined: it is no manager. What a manager does instead of writing down alone whom it trusts (`save`): false where it is not its turn. */
  readonly inTurn: () => ((save: () => void) => Promise<boolean>) | undefined;
}

export interface Certificate {
  /** that it is for */
  role(): Role | undefined;
  /** Its time to be renewed has come, or it is by another authority than those that are given now. */
  isDue(): boolean;
  /** A manager gives one for the role that the cluster has for this node. */
  renew(connection: Connection): Promise<void>;
  /** A manager says whom to trust (PEM: whoever has a certificate of these is a member), and who gives certificates; absent: who did. */
  hear(said: { readonly authorities: string; readonly issuer?: string }): void;
  /** Resolves to whether it trusts whom it is to: else ask again a little later. */
  follow(): Promise<boolean>;
  /** as the node describes it to managers */
  described(): NodeDescription['tls'];
}

export const createCertificate = (settings: CertificateSettings): Certificate => {
  const { files, log, now } = settings;
  /** milliseconds since the epoch, by chance within a span; of which certificate */
  const renewal = { at: 0, of: '' };
  let wanted: string | undefined;
  let issuer: string | undefined;
  const described = (): NodeDescription['tls'] => {
    const { certificate, authorities } = files.credentials();
    const { TrustRoot, CertIssuerSubject, CertIssuerPublicKey } = issuerOfNode(certificate, authorities);
    return { trustRoot: TrustRoot, issuerSubject: CertIssuerSubject, issuerPublicKey: CertIssuerPublicKey };
  };
  return {
    role: () => identityOf(files.credentials().certificate)?.role,
    isDue() {
      const { certificate } = files.credentials();
      if (renewal.of !== certificate) {
        renewal.of = certificate;
        renewal.at = renewalOf(certificate, Math.random());
      }
      return now() >= renewal.at || (issuer !== undefined && issuer !== described().issuerPublicKey);
    },
    async renew(connection) {
      const key = generateKey();
      const request = {
        type: 'renew',
        request: requestCertificate(key),
        advertise: settings.advertise,
      } as const;
      const issued = await connection.ask(request, 'issued');
      // Whom it trusts has a time of its own.
      files.saveCertificate(issued.certificate, files.credentials().authorities, key);
      settings.changed();
      log.info({ role: issued.role }, 'this node has a new certificate');
    },
    hear(said) {
      wanted = said.authorities;
      issuer = said.issuer;
    },
    async follow() {
      const authorities = wanted;
      if (authorities === undefined || authorities === files.credentials().authorities) return true;
      const save = (): void => files.saveAuthorities(authorities);
      const inTurn = settings.inTurn();
      if (inTurn && !(await inTurn(save))) return false;
      if (!inTurn) save();
      settings.trusts();
      return authorities === wanted;
    },
    described,
  };
};
