/** Peers of WireGuard interfaces that others take away. */
import { expect, test } from 'vitest';
import { withoutPeers } from '../../src/kernel/peers-watch.js';
import type { FoundDevice } from '../../src/kernel/wireguard.js';
import type { WireguardPeerObject } from '../../src/plan/objects.js';

const peer = (key: string, more: Partial<WireguardPeerObject> = {}): WireguardPeerObject => ({
  ...{ kind: 'wireguardPeer', ns: 'host', link: 'wg', key },
  ...{ address: '192.0.2.2', port: 51820, inside: `fd00::${key}`, ...more },
});
const planned = new Map([['wg', new Map(['a', 'b'].map((key) => [key, peer(key)]))]]);
const device = (...peers: WireguardPeerObject[]): FoundDevice => ({
  ...{ key: 'own', port: 51820, agreed: new Map(), peers },
});

test.each([
  ['as planned', device(peer('a'), peer('b')), []],
  ['one more, which is others’', device(peer('a'), peer('b'), peer('c')), []],
  ['where it followed its packets to', device(peer('a'), peer('b', { address: '192.0.2.9', port: 1 })), []],
  ['one gone', device(peer('a')), ['wg']],
  ['another address inside', device(peer('a'), peer('b', { inside: '' })), ['wg']],
  ['the interface itself gone, which others tell', undefined, []],
])('D8: %s', (_, found, lonely) => {
  expect(withoutPeers(planned, () => found)).toEqual(lonely);
});

test('D8: what cannot be read now is looked at later', () => {
  const refuse = (): never => {
    throw new Error('ENOBUFS');
  };
  expect(withoutPeers(planned, refuse)).toEqual([]);
});
