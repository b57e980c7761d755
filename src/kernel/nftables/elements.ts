/**
 * Elements of sets and maps as messages, and back. All elements of one set have one shape, so each is a copy of the set's
 * template with its values put in: 10,000 of them are encoded in some 10 ms. Invariant: what is dumped from what was
 * added has the same texts, given canonical ones.
 */

import { internal } from '../../errors.js';
import type { SetDeclaration, SetElement } from '../../firewall/language.js';
import { setOf, TABLE } from '../../firewall/ruleset.js';
import { groupBy } from '../../plan/group.js';
import type { ElementObject } from '../../plan/objects.js';
import { attrStr, listAttributes, nested } from '../netlink.js';
import type { ElementChange } from '../nftables.contract.js';
import * as n from './constants.js';
import { valueData, verdictData, verdictText } from './data.js';
import { type Layout, layoutOf } from './layout.js';
import { addMessage, deleteMessage, NFT_HEADER, nftMessage } from './messages.js';
import { getRange, putRange } from './ranges.js';
import { getValue, putValue } from './values.js';

/** One element with all values zero, and where the values go. */
interface Template {
  readonly bytes: Buffer;
  readonly key: number;
  /** last key of an interval; `key` where the set has none */
  readonly keyEnd: number;
  /** -1: no data, or a verdict that is in `bytes` already */
  readonly data: number;
}

interface Shape {
  readonly declaration: SetDeclaration;
  readonly key: Layout;
  readonly data: Layout;
  /** by verdict, empty for other data; with and without data, as deletions need the key alone */
  readonly templates: Map<string, Template>;
}

const NOTHING = Buffer.alloc(0);
const shapes = new Map<string, Shape>();
const shapeOf = (family: string, set: string): Shape => {
  const name = `${family} ${set}`;
  const found = shapes.get(name);
  if (found) return found;
  const declaration = setOf(family, set);
  if (!declaration || declaration.learned)
    throw internal(`the ${family} table has no set ${set} for elements`);
  const shape: Shape = {
    declaration,
    key: layoutOf(declaration.key),
    data: layoutOf(declaration.data ?? []),
    templates: new Map(),
  };
  shapes.set(name, shape);
  return shape;
};

/** Headers before a value: of the element in the list, of its attribute, of the value itself; four bytes each. */
const VALUE_HEADER = 8;
const ELEMENT_HEADER = 4;

const makeTemplate = (shape: Shape, verdict: string, withData: boolean): Template => {
  const { declaration, key, data } = shape;
  const keyPart = valueData(n.NFTA_SET_ELEM.KEY, Buffer.alloc(key.length));
  const endPart = declaration.interval
    ? valueData(n.NFTA_SET_ELEM.KEY_END, Buffer.alloc(key.length))
    : NOTHING;
  const dataPart = !withData
    ? NOTHING
    : verdict === ''
      ? valueData(n.NFTA_SET_ELEM.DATA, Buffer.alloc(data.length))
      : verdictData(n.NFTA_SET_ELEM.DATA, verdict);
  const keyAt = ELEMENT_HEADER + VALUE_HEADER;
  return {
    bytes: nested(n.NFTA_LIST_ELEM, keyPart, endPart, dataPart),
    key: keyAt,
    keyEnd: declaration.interval ? keyAt + keyPart.length : keyAt,
    data: withData && verdict === '' ? keyAt + keyPart.length + endPart.length : -1,
  };
};

const isVerdictMap = ({ declaration }: Shape): boolean => declaration.data?.[0] === 'verdict';

const templateOf = (shape: Shape, element: SetElement, withData: boolean): Template => {
  const verdict = withData && isVerdictMap(shape) ? (element.data?.[0] ?? '') : '';
  const name = withData ? `data ${verdict}` : 'key';
  const found = shape.templates.get(name);
  if (found) return found;
  const made = makeTemplate(shape, verdict, withData);
  shape.templates.set(name, made);
  return made;
};

const describe = ({ family, set, key }: SetElement): string => `${family} ${set} ${key.join(' . ')}`;

const checkFields = (shape: Shape, element: SetElement): void => {
  const { declaration } = shape;
  if (element.key.length !== declaration.key.length || element.data?.length !== declaration.data?.length)
    throw internal(`element ${describe(element)} does not have the fields of its set`);
};

const putFields = (layout: Layout, texts: readonly string[], out: Buffer, at: number): void => {
  layout.fields.forEach(({ type, offset }, i) => {
    putValue(type, texts[i] ?? '', out, at + offset);
  });
};

const putKey = (shape: Shape, template: Template, key: readonly string[], out: Buffer, at: number): void => {
  if (!shape.declaration.interval) {
    putFields(shape.key, key, out, at + template.key);
    return;
  }
  shape.key.fields.forEach(({ type, offset }, i) => {
    putRange(type, key[i] ?? '', out, at + template.key + offset, at + template.keyEnd + offset);
  });
};

/** The template of a checked element, which tells how long it will be. */
const prepare = (shape: Shape, element: SetElement, withData: boolean): Template => {
  checkFields(shape, element);
  return templateOf(shape, element, withData && shape.declaration.data !== undefined);
};

/** Writes one element of a list at `at`. */
const putElement = (shape: Shape, template: Template, element: SetElement, out: Buffer, at: number): void => {
  template.bytes.copy(out, at);
  putKey(shape, template, element.key, out, at);
  if (template.data >= 0) putFields(shape.data, element.data ?? [], out, at + template.data);
};

const encodeElement = (element: SetElement): Buffer => {
  const shape = shapeOf(element.family, element.set);
  const template = prepare(shape, element, false);
  const out = Buffer.alloc(template.bytes.length);
  putElement(shape, template, element, out, 0);
  return out;
};

/** A list attribute's length has 16 bits. */
const LIST_LIMIT = 60_000;

const listMessage = (
  build: typeof addMessage,
  type: number,
  family: SetElement['family'],
  set: string,
  encoded: Buffer,
): Buffer =>
  build(
    type,
    family,
    attrStr(n.NFTA_SET_ELEM_LIST.TABLE, TABLE),
    attrStr(n.NFTA_SET_ELEM_LIST.SET, set),
    ...(encoded.length > 0 ? [nested(n.NFTA_SET_ELEM_LIST.ELEMENTS, encoded)] : []),
  );

interface Change extends Pick<ElementChange, 'op'> {
  readonly element: SetElement;
}

/** A message, and the changes in it. */
export interface ElementMessage<T extends Change> {
  readonly message: Buffer;
  readonly changes: readonly T[];
}

const finish = <T extends Change>(changes: readonly T[], encoded: Buffer): ElementMessage<T>[] => {
  const [first] = changes;
  if (!first) return [];
  const { op, element } = first;
  const build = op === 'add' ? addMessage : deleteMessage;
  const type = op === 'add' ? n.NFT_MSG.NEWSETELEM : n.NFT_MSG.DELSETELEM;
  return [{ message: listMessage(build, type, element.family, element.set, encoded), changes }];
};

/** Elements are put together here, one message at a time. */
const assembly = Buffer.alloc(LIST_LIMIT);

/** Changes of one set, in their order; neighbours of one operation share messages. */
const messagesOf = <T extends Change>(shape: Shape, changes: readonly T[]): ElementMessage<T>[] => {
  const messages: ElementMessage<T>[] = [];
  let open: T[] = [];
  let size = 0;
  for (const change of changes) {
    const { element, op } = change;
    const template = prepare(shape, element, op === 'add');
    if (open.length > 0 && (open[0]?.op !== op || size + template.bytes.length > LIST_LIMIT)) {
      messages.push(...finish(open, assembly.subarray(0, size)));
      open = [];
      size = 0;
    }
    putElement(shape, template, element, assembly, size);
    open.push(change);
    size += template.bytes.length;
  }
  return [...messages, ...finish(open, assembly.subarray(0, size))];
};

/**
 * The changes set by set, for one transaction, in which sets do not see each other: a published port is in two sets, and
 * 10,000 of them one after the other would be 20,000 messages, each acknowledged.
 */
export const elementMessages = <T extends Change>(changes: readonly T[]): ElementMessage<T>[] =>
  [...groupBy(changes, ({ element }) => shapeOf(element.family, element.set))].flatMap(([shape, ofSet]) =>
    messagesOf(shape, ofSet),
  );

/** Takes all elements out of a set. */
export const flushMessage = (family: SetElement['family'], set: string): Buffer =>
  listMessage(deleteMessage, n.NFT_MSG.DELSETELEM, family, set, NOTHING);

/** Asks for all elements of a set (as dump), or for the one with this key. */
export const dumpMessage = (family: SetElement['family'], set: string): Buffer =>
  listMessage(asGet, n.NFT_MSG.GETSETELEM, family, set, NOTHING);
export const getMessage = (element: SetElement): Buffer =>
  listMessage(asGet, n.NFT_MSG.GETSETELEM, element.family, element.set, encodeElement(element));
const asGet: typeof addMessage = (type, family, ...parts) => nftMessage(type, 0, family, ...parts);

/** The value of the first attribute of `type`, by hand: a dump has tens of thousands, and maps of them cost half its time. */
const find = (attributes: Buffer, type: number): Buffer => {
  for (let at = 0; at + 4 <= attributes.length; ) {
    const length = attributes.readUInt16LE(at);
    if ((attributes.readUInt16LE(at + 2) & 0x3fff) === type) return attributes.subarray(at + 4, at + length);
    at += Math.max(4, (length + 3) & ~3);
  }
  return NOTHING;
};

const decodeData = (shape: Shape, data: Buffer): readonly string[] => {
  if (isVerdictMap(shape)) return [verdictText(find(data, n.NFTA_DATA.VERDICT))];
  const value = find(data, n.NFTA_DATA.VALUE);
  return shape.data.fields.map(({ type, offset }) => getValue(type, value, offset));
};

const decodeKey = ({ key, declaration }: Shape, attributes: Buffer): readonly string[] => {
  const first = find(find(attributes, n.NFTA_SET_ELEM.KEY), n.NFTA_DATA.VALUE);
  if (!declaration.interval) return key.fields.map(({ type, offset }) => getValue(type, first, offset));
  const end = find(find(attributes, n.NFTA_SET_ELEM.KEY_END), n.NFTA_DATA.VALUE);
  const last = end.length > 0 ? end : first;
  return key.fields.map(({ type, offset }) => getRange(type, first, last, offset));
};

/** An ElementObject where the family is one of the host's tables. */
type Decoded<F> = Pick<ElementObject, 'kind' | 'set' | 'key' | 'data'> & { readonly family: F };

const decodeElement = <F extends SetElement['family']>(
  family: F,
  set: string,
  attributes: Buffer,
): Decoded<F> => {
  const shape = shapeOf(family, set);
  const key = decodeKey(shape, attributes);
  if (!shape.declaration.data) return { kind: 'element', family, set, key };
  return {
    kind: 'element',
    family,
    set,
    key,
    data: decodeData(shape, find(attributes, n.NFTA_SET_ELEM.DATA)),
  };
};

/** The elements in messages that answer `dumpMessage` or `getMessage`. */
export const decodeElements = <F extends SetElement['family']>(
  family: F,
  set: string,
  messages: readonly Buffer[],
): Decoded<F>[] =>
  messages.flatMap((message) =>
    listAttributes(find(message.subarray(NFT_HEADER), n.NFTA_SET_ELEM_LIST.ELEMENTS)).map(({ value }) =>
      decodeElement(family, set, value),
    ),
  );

/** Same key in the same set, the same data. */
export const sameElement = (a: ElementObject, b: ElementObject): boolean =>
  a.family === b.family &&
  a.set === b.set &&
  JSON.stringify([a.key, a.data ?? null]) === JSON.stringify([b.key, b.data ?? null]);
