/**
 * How nft is told of maps whose keys have slots, which are of no type that it has a name for: by expressions that have the types of
 * their fields, as `typeof` declares them. Without it `nft list` aborts. Numbers are libnftables' (`include/expression.h`,
 * `include/proto.h`), which keeps them as they are for this purpose.
 */
import { internal } from '../../errors.js';
import type { DataType, SetDeclaration } from '../../firewall/language.js';
import { UDATA } from './constants.js';
import { userdata } from './userdata.js';

const u32 = (tag: number, value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return userdata(tag, bytes);
};
/** Kind of the expression, and what it says of itself. */
const expression = (kind: number, parts: readonly Buffer[]): Buffer =>
  Buffer.concat([u32(0, kind), userdata(1, Buffer.concat(parts))]);
const simple = (kind: number, ...numbers: readonly number[]): Buffer =>
  expression(
    kind,
    numbers.map((number, at) => u32(at, number)),
  );

const KIND = { payload: 7, meta: 9, concatenation: 13, numgen: 23 } as const;

/** `ip daddr`, `ip6 daddr`, `meta l4proto`, `th dport`, `numgen random mod 2` */
const EXPRESSIONS: Partial<Record<DataType, Buffer>> = {
  ipv4_addr: simple(KIND.payload, 12, 12),
  ipv6_addr: simple(KIND.payload, 13, 9),
  inet_proto: simple(KIND.meta, 16, 1),
  inet_service: simple(KIND.payload, 11, 2),
  slot: simple(KIND.numgen, 1, 2, 0),
};

const expressionOf = (type: DataType): Buffer => {
  const found = EXPRESSIONS[type];
  if (!found) throw internal(`no expression has type ${type}`);
  return found;
};

const typeOf = (types: readonly DataType[]): Buffer => {
  const [only, ...others] = types.map(expressionOf);
  return only && others.length === 0
    ? only
    : expression(
        KIND.concatenation,
        types.map((type, at) => userdata(at, expressionOf(type))),
      );
};

/** Userdata of the set; none where types by name will do. */
export const typeofUserdata = ({ key, data }: SetDeclaration): readonly Buffer[] =>
  key.includes('slot')
    ? [
        userdata(UDATA.SET_KEY_TYPEOF, typeOf(key)),
        ...(data ? [userdata(UDATA.SET_DATA_TYPEOF, typeOf(data))] : []),
      ]
    : [];
