/**
 * What a WireGuard interface is told and asked of by generic netlink (`include/uapi/linux/wireguard.h`): its own key and port, and its
 * peers. Keys of its sessions are its own affair: it makes them with each peer, and new ones every two minutes.
 */
import { ENODEV, EOPNOTSUPP, ifThere } from '../errno.js';
import { addressText } from '../model/address-bytes.js';
import type { WireguardLink, WireguardPeerObject } from '../plan/objects.js';
import { AF } from './ffi.js';
import { ATTRIBUTES, familyOf, genericMessage, genericSocket } from './genetlink.js';
import {
  attr,
  attrStr,
  attrU8,
  attrU16,
  attrU32,
  listAttributes,
  NLM_F,
  nested,
  parseAttributes,
} from './netlink.js';
import { addressOf } from './rtnetlink/inet.js';
import { parseSockaddr, sockaddr } from './sockaddr.js';

const FAMILY = 'wireguard';
const COMMAND = { GET_DEVICE: 0, SET_DEVICE: 1 } as const;
const VERSION = 1;
const DEVICE = { IFNAME: 2, PRIVATE_KEY: 3, PUBLIC_KEY: 4, LISTEN_PORT: 6, PEERS: 8 } as const;
const PEER = { PUBLIC_KEY: 1, FLAGS: 3, ENDPOINT: 4, LAST_HANDSHAKE: 6, ALLOWEDIPS: 9 } as const;
const PEER_FLAG = { REMOVE_ME: 1, REPLACE_ALLOWEDIPS: 2 } as const;
const ALLOWED = { FAMILY: 1, ADDRESS: 2, LENGTH: 3 } as const;
/** Bits: a peer has one IPv6 address. */
const WHOLE = 128;
/** An element of a list of nested attributes has no type of its own. */
const ELEMENT = 0;

const set = (name: string, what: string, ...attributes: readonly Buffer[]): void => {
  const request = genericMessage(
    { family: familyOf(FAMILY), command: COMMAND.SET_DEVICE, version: VERSION, flags: NLM_F.ACK },
    attrStr(DEVICE.IFNAME, name),
    ...attributes,
  );
  genericSocket().request([request], `wireguard ${what} ${name}`);
};

/** `privateKey`: 32 bytes. Throws KernelError EADDRINUSE where the interface is up and its port another's. */
export const setDevice = ({ name, port }: WireguardLink, privateKey: Buffer): void =>
  set(name, 'set', attr(DEVICE.PRIVATE_KEY, privateKey), attrU16(DEVICE.LISTEN_PORT, port));

const keyBytes = (key: string): Buffer => Buffer.from(key, 'base64');

const setPeer = (link: string, key: string, flags: number, ...attributes: readonly Buffer[]): void => {
  const peer = nested(
    ELEMENT,
    attr(PEER.PUBLIC_KEY, keyBytes(key)),
    attrU32(PEER.FLAGS, flags),
    ...attributes,
  );
  set(link, 'peer', nested(DEVICE.PEERS, peer));
};

/** It is there from now on, where it is said to be, and has this address inside and no other. */
export const putPeer = ({ link, key, address, port, inside }: WireguardPeerObject): void =>
  setPeer(
    link,
    key,
    PEER_FLAG.REPLACE_ALLOWEDIPS,
    attr(PEER.ENDPOINT, sockaddr(address, port)),
    nested(
      PEER.ALLOWEDIPS,
      nested(
        ELEMENT,
        attrU16(ALLOWED.FAMILY, AF.INET6),
        attr(ALLOWED.ADDRESS, addressOf(inside)),
        attrU8(ALLOWED.LENGTH, WHOLE),
      ),
    ),
  );

export const removePeer = ({ link, key }: WireguardPeerObject): void =>
  setPeer(link, key, PEER_FLAG.REMOVE_ME);

export interface FoundDevice {
  /** public key, base64; empty: it has none */
  readonly key: string;
  readonly port: number;
  /** `inside` as it is, if need be several addresses or none */
  readonly peers: readonly WireguardPeerObject[];
  /** when keys were last agreed on with each, by public key; seconds since 1970. Who is not in it never did. */
  readonly agreed: ReadonlyMap<string, number>;
}

interface FoundPeer {
  readonly endpoint: Buffer | undefined;
  readonly inside: string[];
  /** seconds since 1970; 0: never */
  readonly agreed: number;
}

const allowedIn = (list: Buffer | undefined): readonly string[] =>
  (list ? listAttributes(list) : []).map(({ value }) => {
    const one = parseAttributes(value);
    const address = addressText(one.get(ALLOWED.ADDRESS) ?? Buffer.alloc(4));
    const length = one.get(ALLOWED.LENGTH)?.readUInt8();
    return length === WHOLE ? address : `${address}/${length}`;
  });

/** Peers, and addresses of one, that have no room in a message go on in the next. */
const collect = (list: Buffer, peers: Map<string, FoundPeer>): void => {
  for (const { value } of listAttributes(list)) {
    const said = parseAttributes(value);
    const key = (said.get(PEER.PUBLIC_KEY) ?? Buffer.alloc(0)).toString('base64');
    const agreed = Number(said.get(PEER.LAST_HANDSHAKE)?.readBigInt64LE() ?? 0n);
    const known = peers.get(key) ?? { endpoint: said.get(PEER.ENDPOINT), inside: [], agreed };
    known.inside.push(...allowedIn(said.get(PEER.ALLOWEDIPS)));
    peers.set(key, known);
  }
};

const peerObject = (link: string, key: string, { endpoint, inside }: FoundPeer): WireguardPeerObject => {
  const at = endpoint && parseSockaddr(endpoint);
  const { address = '', port = 0 } = at ?? {};
  return { kind: 'wireguardPeer', ns: 'host', link, key, address, port, inside: inside.join(' ') };
};

/** undefined: there is no WireGuard interface of this name on the host. */
export const readDevice = (name: string): FoundDevice | undefined =>
  ifThere(
    () => {
      const request = genericMessage(
        { family: familyOf(FAMILY), command: COMMAND.GET_DEVICE, version: VERSION },
        attrStr(DEVICE.IFNAME, name),
      );
      let key = '';
      let port = 0;
      const peers = new Map<string, FoundPeer>();
      for (const reply of genericSocket().dump(request, `wireguard get ${name}`)) {
        const said = parseAttributes(reply.subarray(ATTRIBUTES));
        key = said.get(DEVICE.PUBLIC_KEY)?.toString('base64') ?? key;
        port = said.get(DEVICE.LISTEN_PORT)?.readUInt16LE() ?? port;
        const list = said.get(DEVICE.PEERS);
        if (list) collect(list, peers);
      }
      const agreed = [...peers].flatMap(([peer, found]) =>
        found.agreed > 0 ? [[peer, found.agreed] as const] : [],
      );
      return {
        ...{ key, port, agreed: new Map(agreed) },
        peers: [...peers].map(([peer, found]) => peerObject(name, peer, found)),
      };
    },
    ENODEV,
    EOPNOTSUPP,
  );
