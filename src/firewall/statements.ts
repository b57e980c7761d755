/** Short constructors for rules, so that a ruleset reads like nft. */
import {
  type Chain,
  COUNTED,
  type Comparison,
  type Field,
  type Rule,
  type Statement,
  type Target,
} from './language.js';

export const match = (field: Field, value: string, op: Comparison = '=='): Statement => ({
  is: 'match',
  field,
  op,
  value,
});
/** Any of the bits is set. */
export const anyBit = (field: Field, mask: string): Statement => ({ is: 'bits', field, op: '!=', mask });
export const noBit = (field: Field, mask: string): Statement => ({ is: 'bits', field, op: '==', mask });
const lookup =
  (op: Comparison) =>
  (set: string, ...fields: readonly Field[]): Statement => ({ is: 'lookup', fields, op, set });
export const inSet = lookup('==');
export const notInSet = lookup('!=');
export const vmap = (map: string, ...fields: readonly Field[]): Statement => ({ is: 'vmap', fields, map });
export const jump = (chain: string): Statement => ({ is: 'jump', chain });
export const goTo = (chain: string): Statement => ({ is: 'goto', chain });
export const accept: Statement = { is: 'accept' };
export const masquerade: Statement = { is: 'masquerade' };
export const reject: Statement = { is: 'reject' };
export const reset: Statement = { is: 'reject', reset: true };
export const learn = (set: string, ...fields: readonly Field[]): Statement => ({ is: 'learn', fields, set });
export const write = (field: Field, value: string): Statement => ({ is: 'write', field, value });
export const writeFrom = (field: Field, map: string, ...fields: readonly Field[]): Statement => ({
  is: 'write-from',
  field,
  fields,
  map,
});
export const copy = (to: Target, from: Field): Statement => ({ is: 'copy', to, from });
/** To the port that the map answers; the address stays. */
export const toPort = (map: string, ...fields: readonly Field[]): Statement => ({
  is: 'dnat-port',
  fields,
  map,
});
const nat =
  (is: 'dnat' | 'snat', port: boolean, among: { readonly among?: number } = {}) =>
  (family: 4 | 6, map: string, ...fields: readonly Field[]): Statement => ({
    is,
    family,
    fields,
    map,
    port,
    ...among,
  });
/** To the address and port that the map answers. */
export const dnat = nat('dnat', true);
/** To the address that the map answers; the port stays. */
export const dnatAddress = nat('dnat', false);
/** To the address that the map has for one slot, drawn by lot among as many as the chain is for. */
export const dnatAddressByLot = nat('dnat', false, { among: COUNTED });
/** The same, with the port that the map has for the slot. */
export const dnatByLot = nat('dnat', true, { among: COUNTED });
export const snatAddress = nat('snat', false);

/** What is dropped is counted: `nft list` then shows a person which rule it was. */
export const drop: readonly Statement[] = [{ is: 'counter' }, { is: 'drop' }];

export const rule = (
  comment: string,
  ...statements: readonly (Statement | readonly Statement[])[]
): Rule => ({
  comment,
  statements: statements.flat(),
});
export const chain = (name: string, ...rules: readonly Rule[]): Chain => ({ name, rules });
export const baseChain = (
  name: string,
  type: 'filter' | 'nat',
  hook: NonNullable<Chain['base']>['hook'],
  priority: number,
  ...rules: readonly Rule[]
): Chain => ({ name, base: { type, hook, priority }, rules });
/** There only while `sets` have elements, each of them. */
export const whileAny = (sets: string | readonly string[], { name, base, rules }: Chain): Chain => ({
  name,
  ...(base ? { base: { ...base, tiedTo: [sets].flat() } } : {}),
  rules,
});
