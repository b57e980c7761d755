/**
 * A whole table as messages: table, chains, sets, then rules, so that every name is there when it is used. The table's
 * comment carries a digest of everything static in it; a table with another digest was made by another version of us.
 */
import { createHash } from 'node:crypto';
import { countedFor } from '../../firewall/balance.js';
import type { Chain, SetDeclaration, SetElement, Table } from '../../firewall/language.js';
import { attr, attrStr, attrU32be, nested } from '../netlink.js';
import * as n from './constants.js';
import { layoutOf, typeNumber } from './layout.js';
import { addMessage, createMessage, deleteMessage, nftMessage } from './messages.js';
import { attrU64be, ruleMessage } from './rules.js';
import { typeofUserdata } from './typeof.js';
import { commentUserdata, userdata } from './userdata.js';
import { TYPES } from './values.js';

const comments = new WeakMap<Table, string>();
/** As `nft list` shows it. */
export const tableComment = (table: Table): string => {
  const known = comments.get(table);
  if (known !== undefined) return known;
  const digest = createHash('sha256').update(JSON.stringify(table)).digest('hex');
  const comment = `Viaduct ${digest.slice(0, 16)}`;
  comments.set(table, comment);
  return comment;
};

const tableMessage =
  (build: typeof addMessage) =>
  (table: Table, flags: number): Buffer =>
    build(
      n.NFT_MSG.NEWTABLE,
      table.family,
      attrStr(n.NFTA_TABLE.NAME, table.name),
      attrU32be(n.NFTA_TABLE.FLAGS, flags),
      attr(n.NFTA_TABLE.USERDATA, commentUserdata(n.UDATA.TABLE_COMMENT, tableComment(table))),
    );
/** Makes the socket that sends it the owner of a table that is there and owned by nobody. */
export const adoptTableMessage = tableMessage(addMessage);
const newTableMessage = tableMessage(createMessage);
/** Removes the table with all that is in it. */
export const deleteTableMessage = ({ family, name }: Table): Buffer =>
  deleteMessage(n.NFT_MSG.DELTABLE, family, attrStr(n.NFTA_TABLE.NAME, name));
export const getTableMessage = ({ family, name }: Table): Buffer =>
  nftMessage(n.NFT_MSG.GETTABLE, 0, family, attrStr(n.NFTA_TABLE.NAME, name));

/** Of a base chain, which accepts what no rule of it decides. */
export const hookAttributes = ({
  type,
  hook,
  priority,
  device,
}: NonNullable<Chain['base']>): readonly Buffer[] => [
  nested(
    n.NFTA_CHAIN.HOOK,
    attrU32be(n.NFTA_HOOK.HOOKNUM, n.HOOK[hook]),
    attrU32be(n.NFTA_HOOK.PRIORITY, priority >>> 0),
    ...(device === undefined ? [] : [attrStr(n.NFTA_HOOK.DEV, device)]),
  ),
  attrU32be(n.NFTA_CHAIN.POLICY, n.VERDICT.accept),
  attrStr(n.NFTA_CHAIN.TYPE, type),
];

const chainMessage = ({ family, name: table }: Table, { name, base }: Chain): Buffer =>
  addMessage(
    n.NFT_MSG.NEWCHAIN,
    family,
    attrStr(n.NFTA_CHAIN.TABLE, table),
    attrStr(n.NFTA_CHAIN.NAME, name),
    ...(base ? hookAttributes(base) : []),
  );

const setFlags = ({ data, interval, learned }: SetDeclaration): number =>
  (data ? n.NFT_SET.MAP : 0) |
  (interval ? n.NFT_SET.INTERVAL | n.NFT_SET.CONCAT : 0) |
  (learned ? n.NFT_SET.EVAL | n.NFT_SET.TIMEOUT : 0);

const dataAttributes = (data: SetDeclaration['data']): Buffer[] => {
  if (!data) return [];
  if (data[0] === 'verdict') return [attrU32be(n.NFTA_SET.DATA_TYPE, n.NFT_DATA_VERDICT)];
  return [
    attrU32be(n.NFTA_SET.DATA_TYPE, typeNumber(data)),
    attrU32be(n.NFTA_SET.DATA_LEN, layoutOf(data).length),
  ];
};

/** Interval sets of several fields need the fields' lengths; learned sets their bound. */
const description = ({ key, interval, learned }: SetDeclaration): Buffer[] => {
  const parts = [
    ...(learned ? [attrU32be(n.NFTA_SET_DESC.SIZE, learned.size)] : []),
    ...(interval
      ? [
          nested(
            n.NFTA_SET_DESC.CONCAT,
            ...key.map((type) =>
              nested(n.NFTA_LIST_ELEM, attrU32be(n.NFTA_SET_FIELD_LEN, TYPES[type].length)),
            ),
          ),
        ]
      : []),
  ];
  return parts.length > 0 ? [nested(n.NFTA_SET.DESC, ...parts)] : [];
};

const BYTE_ORDER = { host: 1, network: 2 } as const;
const byteOrder = (types: SetDeclaration['key']): Buffer => {
  const [only] = types;
  const order = types.length === 1 && only && TYPES[only].host ? 'host' : 'network';
  const value = Buffer.alloc(4);
  value.writeUInt32LE(BYTE_ORDER[order]);
  return value;
};

const setMessage = ({ family, name: table }: Table, set: SetDeclaration, id: number): Buffer =>
  addMessage(
    n.NFT_MSG.NEWSET,
    family,
    attrStr(n.NFTA_SET.TABLE, table),
    attrStr(n.NFTA_SET.NAME, set.name),
    attrU32be(n.NFTA_SET.FLAGS, setFlags(set)),
    attrU32be(n.NFTA_SET.KEY_TYPE, typeNumber(set.key)),
    attrU32be(n.NFTA_SET.KEY_LEN, layoutOf(set.key).length),
    ...dataAttributes(set.data),
    ...description(set),
    attrU32be(n.NFTA_SET.ID, id),
    ...(set.learned ? [attrU64be(n.NFTA_SET.TIMEOUT, BigInt(set.learned.seconds) * 1000n)] : []),
    attr(
      n.NFTA_SET.USERDATA,
      userdata(n.UDATA.SET_KEYBYTEORDER, byteOrder(set.key)),
      ...(set.data ? [userdata(n.UDATA.SET_DATABYTEORDER, byteOrder(set.data))] : []),
      ...typeofUserdata(set),
      commentUserdata(n.UDATA.SET_COMMENT, set.comment),
    ),
  );

const ruleMessages = (table: Table, { name, rules }: Chain): Buffer[] =>
  rules.map((rule) => ruleMessage(table.family, table.name, name, rule, table.sets));

/** A chain with its rules, where there is none of that name; what the rules name must be there. */
export const chainMessages = (table: Table, chain: Chain): Buffer[] => [
  chainMessage(table, chain),
  ...ruleMessages(table, chain),
];
const chainName = ({ family, name: table }: Table, { name }: Pick<Chain, 'name'>) =>
  [family, attrStr(n.NFTA_CHAIN.TABLE, table), attrStr(n.NFTA_CHAIN.NAME, name)] as const;
/** Takes its rules with it. */
export const deleteChainMessage = (table: Table, chain: Pick<Chain, 'name'>): Buffer =>
  deleteMessage(n.NFT_MSG.DELCHAIN, ...chainName(table, chain));
export const getChainMessage = (table: Table, name: string): Buffer =>
  nftMessage(n.NFT_MSG.GETCHAIN, 0, ...chainName(table, { name }));

/** Those that a table with these elements has. */
const chainsFor = (table: Table, elements: readonly SetElement[]): readonly Chain[] => {
  const filled = new Set(elements.map(({ set }) => set));
  return [
    ...table.chains.filter(({ base }) => (base?.tiedTo ?? []).every((set) => filled.has(set))),
    ...countedFor(table, elements),
  ];
};

/**
 * Everything in a new table but elements; `flags` of `NFT_TABLE_F`, `elements`: those that it gets, for the chains that come
 * with them. EEXIST where it is there.
 */
export const createTableMessages = (
  table: Table,
  flags: number,
  elements: readonly SetElement[] = [],
): Buffer[] => {
  const chains = chainsFor(table, elements);
  return [
    newTableMessage(table, flags),
    ...chains.map((chain) => chainMessage(table, chain)),
    ...table.sets.map((set, index) => setMessage(table, set, index + 1)),
    ...chains.flatMap((chain) => ruleMessages(table, chain)),
  ];
};
