/** Statements of `firewall/language.ts` as nf_tables expressions. Each statement starts with fresh registers. */

import { internal } from '../../errors.js';
import type { Field, Rule, SetDeclaration, Statement } from '../../firewall/language.js';
import { FIELDS } from '../../firewall/language.js';
import { addressBytes } from '../../model/address-bytes.js';
import { attr, attrStr, attrU8, attrU32be, nested } from '../netlink.js';
import { prefixMask } from '../rtnetlink/inet.js';
import * as n from './constants.js';
import { valueData, verdictData } from './data.js';
import {
  expression,
  expressionAs,
  fieldLength,
  fieldShift,
  loadField,
  loadStart,
  storeField,
  storeTarget,
} from './fields.js';
import { appendMessage, type NftFamily } from './messages.js';
import { commentUserdata } from './userdata.js';
import { valueBytes } from './values.js';

const FIRST = n.NFT_REG32_00;
/** Four-byte registers that `bytes` bytes take. */
const words = (bytes: number): number => (bytes + 3) >> 2;

/** A number below `among`, another for each packet. */
const drawLot = (among: number, register: number): Buffer =>
  expression(
    'numgen',
    attrU32be(n.NFTA_NG.DREG, register),
    attrU32be(n.NFTA_NG.MODULUS, among),
    attrU32be(n.NFTA_NG.TYPE, n.NFT_NG_RANDOM),
  );

/** Loads the fields one behind the other, as the key of a concatenated set lies in memory. */
const loadKey = (fields: readonly Field[], among?: number): Buffer[] => {
  let register = FIRST;
  const loaded = fields.map((field) => {
    const at = register;
    register += words(fieldLength(field));
    return loadField(field, at);
  });
  return among === undefined ? loaded : [...loaded, drawLot(among, register)];
};

const compare = (op: '==' | '!=', value: Buffer): Buffer =>
  expression(
    'cmp',
    attrU32be(n.NFTA_CMP.SREG, FIRST),
    attrU32be(n.NFTA_CMP.OP, n.NFT_CMP[op]),
    valueData(n.NFTA_CMP.DATA, value),
  );

const maskBy = (mask: Buffer): Buffer =>
  expression(
    'bitwise',
    attrU32be(n.NFTA_BITWISE.SREG, FIRST),
    attrU32be(n.NFTA_BITWISE.DREG, FIRST),
    attrU32be(n.NFTA_BITWISE.LEN, mask.length),
    valueData(n.NFTA_BITWISE.MASK, mask),
    valueData(n.NFTA_BITWISE.XOR, Buffer.alloc(mask.length)),
  );

/** A prefix of whole bytes needs no mask: only those are loaded, as nft itself does it. */
const matchPrefix = (field: Field, op: '==' | '!=', address: Uint8Array, prefix: number): Buffer[] =>
  prefix % 8 === 0
    ? [loadStart(field, FIRST, prefix / 8), compare(op, Buffer.from(address.subarray(0, prefix / 8)))]
    : [
        loadField(field, FIRST),
        maskBy(prefixMask(address.length, prefix)),
        compare(op, Buffer.from(address)),
      ];

const matchField = (field: Field, op: '==' | '!=', value: string): Buffer[] => {
  const slash = value.indexOf('/');
  if (slash < 0) return [loadField(field, FIRST), compare(op, valueBytes(FIELDS[field], value))];
  const address = addressBytes(value.slice(0, slash));
  if (address === undefined) throw internal(`not a prefix: ${value}`);
  return matchPrefix(field, op, address, Number(value.slice(slash + 1)));
};

const shifted = (bytes: Buffer, by: number): Buffer => {
  if (by === 0) return bytes;
  const out = Buffer.alloc(bytes.length);
  out.writeUIntBE(bytes.readUIntBE(0, bytes.length) * 2 ** by, 0, bytes.length);
  return out;
};

const matchBits = (field: Field, op: '==' | '!=', mask: string): Buffer[] => {
  const bytes = shifted(valueBytes(FIELDS[field], mask), fieldShift(field));
  return [loadField(field, FIRST), maskBy(bytes), compare(op, Buffer.alloc(bytes.length))];
};

/** Looks the loaded key up; `dreg` takes a map's answer, and without one the rule ends where the set has none. */
const lookUp = (key: readonly Buffer[], set: string, ...rest: readonly Buffer[]): Buffer[] => [
  ...key,
  expression('lookup', attrStr(n.NFTA_LOOKUP.SET, set), attrU32be(n.NFTA_LOOKUP.SREG, FIRST), ...rest),
];
const lookUpInto = (fields: readonly Field[], map: string, register: number, among?: number): Buffer[] =>
  lookUp(loadKey(fields, among), map, attrU32be(n.NFTA_LOOKUP.DREG, register));

const verdict = (text: string): Buffer =>
  expression(
    'immediate',
    attrU32be(n.NFTA_IMMEDIATE.DREG, n.NFT_REG_VERDICT),
    verdictData(n.NFTA_IMMEDIATE.DATA, text),
  );

const translate = (s: Extract<Statement, { is: 'dnat' | 'snat' }>): Buffer[] => [
  ...lookUpInto(s.fields, s.map, FIRST, s.among),
  expression(
    'nat',
    attrU32be(n.NFTA_NAT.TYPE, n.NFT_NAT[s.is]),
    attrU32be(n.NFTA_NAT.FAMILY, n.AF_OF[s.family]),
    attrU32be(n.NFTA_NAT.REG_ADDR_MIN, FIRST),
    ...(s.port ? [attrU32be(n.NFTA_NAT.REG_PROTO_MIN, FIRST + (s.family === 4 ? 1 : 4))] : []),
  ),
];

const writeField = (field: Field, value: string): Buffer[] => [
  expression(
    'immediate',
    attrU32be(n.NFTA_IMMEDIATE.DREG, FIRST),
    valueData(n.NFTA_IMMEDIATE.DATA, valueBytes(FIELDS[field], value)),
  ),
  storeField(field, FIRST),
];

export const attrU64be = (type: number, value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return attr(type, bytes);
};

const learn = (fields: readonly Field[], set: SetDeclaration | undefined): Buffer[] => {
  if (!set?.learned) throw internal('only learned sets are filled by rules');
  return [
    ...loadKey(fields),
    expression(
      'dynset',
      attrStr(n.NFTA_DYNSET.SET_NAME, set.name),
      attrU32be(n.NFTA_DYNSET.OP, n.NFT_DYNSET_OP_UPDATE),
      attrU32be(n.NFTA_DYNSET.SREG_KEY, FIRST),
      attrU64be(n.NFTA_DYNSET.TIMEOUT, BigInt(set.learned.seconds) * 1000n),
      ...(set.learned.counted ? [expressionAs(n.NFTA_DYNSET.EXPR, 'counter')] : []),
    ),
  ];
};

const encodeStatement = (s: Statement, sets: readonly SetDeclaration[]): Buffer[] => {
  switch (s.is) {
    case 'match':
      return matchField(s.field, s.op, s.value);
    case 'bits':
      return matchBits(s.field, s.op, s.mask);
    case 'lookup':
      return lookUp(
        loadKey(s.fields),
        s.set,
        ...(s.op === '!=' ? [attrU32be(n.NFTA_LOOKUP.FLAGS, n.NFT_LOOKUP_F_INV)] : []),
      );
    case 'vmap':
      return lookUpInto(s.fields, s.map, n.NFT_REG_VERDICT);
    case 'dnat':
    case 'snat':
      return translate(s);
    case 'dnat-port':
      return [
        ...lookUpInto(s.fields, s.map, FIRST),
        expression(
          'nat',
          attrU32be(n.NFTA_NAT.TYPE, n.NFT_NAT.dnat),
          attrU32be(n.NFTA_NAT.FAMILY, n.NFPROTO.inet),
          attrU32be(n.NFTA_NAT.REG_PROTO_MIN, FIRST),
        ),
      ];
    case 'masquerade':
      return [expression('masq')];
    case 'notrack':
      return [expression('notrack')];
    case 'reject':
      return [
        expression(
          'reject',
          attrU32be(n.NFTA_REJECT.TYPE, s.reset ? n.NFT_REJECT_TCP_RST : n.NFT_REJECT_ICMPX_UNREACH),
          ...(s.reset ? [] : [attrU8(n.NFTA_REJECT.ICMP_CODE, n.NFT_REJECT_ICMPX_PORT_UNREACH)]),
        ),
      ];
    case 'write':
      return writeField(s.field, s.value);
    case 'write-from':
      return [...lookUpInto(s.fields, s.map, FIRST), storeField(s.field, FIRST)];
    case 'copy':
      return [loadField(s.from, FIRST), storeTarget(s.to, FIRST)];
    case 'learn':
      return learn(
        s.fields,
        sets.find(({ name }) => name === s.set),
      );
    case 'counter':
      return [expression('counter')];
    case 'jump':
    case 'goto':
      return [verdict(`${s.is} ${s.chain}`)];
    case 'accept':
    case 'drop':
    case 'return':
      return [verdict(s.is)];
  }
};

/** Appends the rule to a chain of table `table`, whose sets are `sets`. */
export const ruleMessage = (
  family: NftFamily,
  table: string,
  chain: string,
  { comment, statements }: Rule,
  sets: readonly SetDeclaration[],
): Buffer =>
  appendMessage(
    n.NFT_MSG.NEWRULE,
    family,
    attrStr(n.NFTA_RULE.TABLE, table),
    attrStr(n.NFTA_RULE.CHAIN, chain),
    nested(n.NFTA_RULE.EXPRESSIONS, ...statements.flatMap((s) => encodeStatement(s, sets))),
    attr(n.NFTA_RULE.USERDATA, commentUserdata(n.UDATA.RULE_COMMENT, comment)),
  );
