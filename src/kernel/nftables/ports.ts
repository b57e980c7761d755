/**
 * Maps of interfaces that are kept as base chains (`PortChains`): elements as messages, and back. A chain's comment is its
 * element's data, so it is read without its rules. A chain whose interface is gone reads as an element without data: it
 * guards nothing, and is not as it should be.
 */
import { internal } from '../../errors.js';
import type { HostTable, PortChains } from '../../firewall/language.js';
import { portRules } from '../../firewall/ports.js';
import { portChainsOf, RULESET } from '../../firewall/ruleset.js';
import type { ElementObject } from '../../plan/objects.js';
import { attr, attrStr, attrText, type NetlinkSocket, parseAttributes } from '../netlink.js';
import * as n from './constants.js';
import { createMessage, NFT_HEADER, nftMessage } from './messages.js';
import { commentUserdata, ruleMessage } from './rules.js';
import { deleteChainMessage, getChainMessage, hookAttributes } from './tables.js';

interface Found {
  readonly table: HostTable;
  readonly ports: PortChains;
}

const found = new Map(
  RULESET.flatMap((table): [string, Found][] =>
    table.ports ? [[`${table.family} ${table.ports.name}`, { table, ports: table.ports }]] : [],
  ),
);
const lookUp = ({ family, set }: Pick<ElementObject, 'family' | 'set'>): Found => {
  const known = found.get(`${family} ${set}`);
  if (!known) throw internal(`the ${family} table has no chains of ports ${set}`);
  return known;
};

export const isPortChain = ({ family, set }: Pick<ElementObject, 'family' | 'set'>): boolean =>
  portChainsOf(family, set) !== undefined;

const portOf = ({ key }: ElementObject): string => key[0] ?? '';

/** The chain on its interface, which must be there, with its rules. EEXIST where it is there. */
export const addPortMessages = (element: ElementObject): readonly Buffer[] => {
  const { table, ports } = lookUp(element);
  const { data = [] } = element;
  const name = portOf(element);
  if (data.length !== ports.data.length)
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
  deleteChainMessage(lookUp(element).table, { name: portOf(element) });

/** The interface that a chain is on; the kernel tells one alone as such. */
const deviceOf = (hook: Buffer | undefined): string | undefined => {
  const device = hook && parseAttributes(hook).get(n.NFTA_HOOK.DEV);
  return device && attrText(device);
};

const decodePort = ({ table, ports }: Found, message: Buffer): ElementObject[] => {
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

export const dumpPorts = (
  socket: NetlinkSocket,
  set: Pick<ElementObject, 'family' | 'set'>,
): readonly ElementObject[] => {
  const known = lookUp(set);
  const request = nftMessage(n.NFT_MSG.GETCHAIN, 0, known.table.family);
  return socket
    .dump(request, `nftables dump chains ${known.table.family}`)
    .flatMap((message) => decodePort(known, message));
};

/** Throws ENOENT where there is none. */
export const getPort = (socket: NetlinkSocket, element: ElementObject): readonly ElementObject[] => {
  const known = lookUp(element);
  const name = portOf(element);
  return socket
    .request([getChainMessage(known.table, name)], `nftables get chain ${name}`)
    .flatMap((message) => decodePort(known, message));
};
