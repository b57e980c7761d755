/**
 * Maps of interfaces that are kept as base chains (`PortChains`): elements as messages, and back. A chain's comment is its
 * element's data, so it is read without its rules. A chain whose interface is gone reads as an element without data: it
 * guards nothing, and is not as it should be.
 */
import { internal } from '../../errors.js';
import type { HostTable, PortChains } from '../../firewall/language.js';
import { portRules } from '../../firewall/ports.js';
import { RULESET } from '../../firewall/ruleset.js';
import type { ElementObject } from '../../plan/objects.js';
import { attr, attrStr, attrText, type NetlinkSocket, parseAttributes } from '../netlink.js';
import * as n from './constants.js';
import { createMessage, NFT_HEADER, nftMessage } from './messages.js';
import { ruleMessage } from './rules.js';
import { deleteChainMessage, getChainMessage, hookAttributes } from './tables.js';
import { commentUserdata } from './userdata.js';

type SetName = Pick<ElementObject, 'family' | 'set'>;

interface Place {
  readonly table: HostTable;
  readonly ports: PortChains;
}

/** By the map's name: only the netdev table has such. */
const places = new Map(
  RULESET.flatMap((table): [string, Place][] =>
    table.ports ? [[table.ports.name, { table, ports: table.ports }]] : [],
  ),
);
const placeOf = ({ family, set }: SetName): Place => {
  const place = places.get(set);
  if (place?.table.family !== family) throw internal(`the ${family} table has no chains of ports ${set}`);
  return place;
};

export const isPortChain = ({ family, set }: SetName): boolean => family === 'netdev' && places.has(set);

const portOf = ({ key }: ElementObject): string => key[0] ?? '';

const hasFields = (ports: PortChains, { length }: readonly string[]): boolean =>
  length > 0 && length <= ports.data.length;

/** The chain on its interface, which must be there, with its rules. EEXIST where it is there. */
export const addPortMessages = (element: ElementObject): readonly Buffer[] => {
  const { table, ports } = placeOf(element);
  const { data = [] } = element;
  const name = portOf(element);
  if (!hasFields(ports, data))
    throw internal(`element ${element.set} ${name} does not have the fields of its map`);
  const base = { type: 'filter', hook: 'ingress', priority: ports.priority, device: name } as const;
  return [
    createMessage(
      n.NFT_MSG.NEWCHAIN,
      table.family,
      attrStr(n.NFTA_CHAIN.TABLE, table.name),
      attrStr(n.NFTA_CHAIN.NAME, name),
      ...hookAttributes(base),
      attr(n.NFTA_CHAIN.USERDATA, commentUserdata(n.UDATA.CHAIN_COMMENT, data.join(' '))),
    ),
    ...portRules(ports, data).map((rule) => ruleMessage(table.family, table.name, name, rule, table.sets)),
  ];
};

export const deletePortMessage = (element: ElementObject): Buffer =>
  deleteChainMessage(placeOf(element).table, { name: portOf(element) });

/** The interface that a chain is on; the kernel tells one alone as such. */
const deviceOf = (hook: Buffer | undefined): string | undefined => {
  const device = hook && parseAttributes(hook).get(n.NFTA_HOOK.DEV);
  return device && attrText(device);
};

const decodePort = ({ table, ports }: Place, message: Buffer): ElementObject[] => {
  const parts = parseAttributes(message.subarray(NFT_HEADER));
  const text = (type: number): string => attrText(parts.get(type) ?? Buffer.alloc(0));
  const name = text(n.NFTA_CHAIN.NAME);
  const userdata = parts.get(n.NFTA_CHAIN.USERDATA);
  if (text(n.NFTA_CHAIN.TABLE) !== table.name || !userdata || !parts.has(n.NFTA_CHAIN.HOOK)) return [];
  const attached = deviceOf(parts.get(n.NFTA_CHAIN.HOOK)) === name;
  const data = attached ? attrText(userdata.subarray(2)).split(' ') : [];
  const { family } = table;
  return [{ kind: 'element', family, set: ports.name, key: [name], data }];
};

export const dumpPorts = (socket: NetlinkSocket, set: SetName): readonly ElementObject[] => {
  const place = placeOf(set);
  const request = nftMessage(n.NFT_MSG.GETCHAIN, 0, place.table.family);
  return socket
    .dump(request, `nftables dump chains ${place.table.family}`)
    .flatMap((message) => decodePort(place, message));
};

/** True where the table has the chains that the element's lead to. */
export const portFits = (table: HostTable, ports: PortChains, { data = [] }: ElementObject): boolean => {
  const chains = new Set(table.chains.map(({ name }) => name));
  const targets = portRules(ports, data).flatMap(({ statements }) =>
    statements.flatMap((s) => (s.is === 'goto' ? [s.chain] : [])),
  );
  return hasFields(ports, data) && targets.every((chain) => chains.has(chain));
};

/** Throws ENOENT where there is none. */
export const getPort = (socket: NetlinkSocket, element: ElementObject): readonly ElementObject[] => {
  const place = placeOf(element);
  const name = portOf(element);
  return socket
    .request([getChainMessage(place.table, name)], `nftables get chain ${name}`)
    .flatMap((message) => decodePort(place, message));
};
