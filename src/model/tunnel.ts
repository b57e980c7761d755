/**
 * What encrypted networks use between hosts: a WireGuard interface a host, by which its VXLAN devices reach those of the others. A
 * host's address in it follows from its public key, so nobody has to give it one, and nobody can have another's.
 */
import { createHash } from 'node:crypto';
import { addressText } from './address-bytes.js';

/** How other hosts speak to a host in cipher. */
export interface Tunnel {
  /** its public key: 32 bytes in base64, as `wg` writes it */
  readonly key: string;
  /** the UDP port that it listens on */
  readonly port: number;
}

export const TUNNEL_LINK = 'viaduct-wg';
/** A unique local prefix (RFC 4193) that was drawn once for all clusters: a host is in one at most. */
export const TUNNEL_SUBNET = 'fd86:ec38:d8bd::/48';
const SUBNET_BYTES = [0xfd, 0x86, 0xec, 0x38, 0xd8, 0xbd] as const;

const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

export const isTunnelKey = (text: string): boolean => KEY.test(text);

/** Bare address of the host with this public key: 80 bits of the key's digest, which nobody finds a second key for. */
export const tunnelAddress = (key: string): string => {
  const digest = createHash('sha256').update(Buffer.from(key, 'base64')).digest();
  return addressText(Uint8Array.of(...SUBNET_BYTES, ...digest.subarray(0, 10)));
};

/**
 * UDP port of encrypted networks' VXLAN devices, inside the tunnel and never on the wire. It is not that of the others: what comes
 * to it by another way, or would leave by another, is known for clear by the port alone.
 */
export const sealedPort = (clear: number): number => (clear === 4790 ? 4791 : 4790);
