/** Names of the reverse trees (`in-addr.arpa`, `ip6.arpa`) to addresses. Pure. */
import { addressText } from '../model/address-bytes.js';

const IPV4_TREE = '.in-addr.arpa';
const IPV6_TREE = '.ip6.arpa';
const OCTET = /^(?:0|[1-9]\d{0,2})$/;
const NIBBLE = /^[0-9a-f]$/;

/** The canonical address a PTR question asks about; undefined for other names and for incomplete addresses. */
export const reversedAddress = (name: string): string | undefined => {
  if (name.endsWith(IPV4_TREE)) {
    const octets = name.slice(0, -IPV4_TREE.length).split('.', 5);
    const good = octets.length === 4 && octets.every((o) => OCTET.test(o) && Number(o) < 256);
    return good ? octets.reverse().join('.') : undefined;
  }
  if (!name.endsWith(IPV6_TREE)) return undefined;
  const nibbles = name.slice(0, -IPV6_TREE.length).split('.', 33);
  if (nibbles.length !== 32 || !nibbles.every((n) => NIBBLE.test(n))) return undefined;
  return addressText(Buffer.from(nibbles.reverse().join(''), 'hex'));
};
