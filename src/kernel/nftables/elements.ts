/**
 * Elements of sets and maps as messages, and back. All elements of one set have one shape, so each is a copy of the set's
 * template with its values put in: 10,000 of them are encoded in some 10 ms. Invariant: what is dumped from what was
 * added has the same texts, given canonical ones.
 */
import { internal } from '../../errors.js';
import type { SetDeclaration, SetElement } from '../../firewall/language.js';
import { setOf, TABLE } from '../../firewall/ruleset.js';
import type { ElementObject } from '../../plan/objects.js';
import { attrStr, listAttributes, nested, parseAttributes } from '../netlink.js';
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
    : Buffer.alloc(0);
  const dataPart = !withData
    ? Buffer.alloc(0)
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

/** One element in a list. */
const encodeElement = (element: SetElement, withData: boolean): Buffer => {
  const shape = shapeOf(element.family, element.set);
  checkFields(shape, element);
  const template = templateOf(shape, element, withData && shape.declaration.data !== undefined);
  const out = Buffer.from(template.bytes);
  if (shape.declaration.interval)
    shape.key.fields.forEach(({ type, offset }, i) => {
      putRange(type, element.key[i] ?? '', out, template.key + offset, template.keyEnd + offset);
    });
  else putFields(shape.key, element.key, out, template.key);
  if (template.data >= 0) putFields(shape.data, element.data ?? [], out, template.data);
  return out;
};

/** A list attribute's length has 16 bits. */
const LIST_LIMIT = 60_000;

const listMessage = (
  build: typeof addMessage,
  type: number,
  family: SetElement['family'],
  set: string,
  encoded: readonly Buffer[],
): Buffer =>
  build(
    type,
    family,
    attrStr(n.NFTA_SET_ELEM_LIST.TABLE, TABLE),
    attrStr(n.NFTA_SET_ELEM_LIST.SET, set),
    ...(encoded.length > 0 ? [nested(n.NFTA_SET_ELEM_LIST.ELEMENTS, ...encoded)] : []),
  );

export type ElementOp = 'add' | 'delete';
interface Change {
  readonly op: ElementOp;
  readonly element: SetElement;
}

/** A message, and the changes in it. */
export interface ElementMessage<T extends Change> {
  readonly message: Buffer;
  readonly changes: readonly T[];
}

const sameList = (a: Change, b: Change): boolean =>
  a.op === b.op && a.element.set === b.element.set && a.element.family === b.element.family;

const finish = <T extends Change>(changes: readonly T[], encoded: readonly Buffer[]): ElementMessage<T>[] => {
  const [first] = changes;
  if (!first) return [];
  const { op, element } = first;
  const build = op === 'add' ? addMessage : deleteMessage;
  const type = op === 'add' ? n.NFT_MSG.NEWSETELEM : n.NFT_MSG.DELSETELEM;
  return [{ message: listMessage(build, type, element.family, element.set, encoded), changes }];
};

/** The changes in their order; neighbours of one set and operation share messages. */
export const elementMessages = <T extends Change>(changes: readonly T[]): ElementMessage<T>[] => {
  const messages: ElementMessage<T>[] = [];
  let open: T[] = [];
  let encoded: Buffer[] = [];
  let size = 0;
  for (const change of changes) {
    const bytes = encodeElement(change.element, change.op === 'add');
    const [first] = open;
    if (first && (!sameList(first, change) || size + bytes.length > LIST_LIMIT)) {
      messages.push(...finish(open, encoded));
      open = [];
      encoded = [];
      size = 0;
    }
    open.push(change);
    encoded.push(bytes);
    size += bytes.length;
  }
  return [...messages, ...finish(open, encoded)];
};

/** Takes all elements out of a set. */
export const flushMessage = (family: SetElement['family'], set: string): Buffer =>
  listMessage(deleteMessage, n.NFT_MSG.DELSETELEM, family, set, []);

/** Asks for all elements of a set (as dump), or for the one with this key. */
export const dumpMessage = (family: ElementObject['family'], set: string): Buffer =>
  listMessage(asGet, n.NFT_MSG.GETSETELEM, family, set, []);
export const getMessage = (element: ElementObject): Buffer =>
  listMessage(asGet, n.NFT_MSG.GETSETELEM, element.family, element.set, [encodeElement(element, false)]);
const asGet: typeof addMessage = (type, family, ...parts) => nftMessage(type, 0, family, ...parts);

const decodeData = (shape: Shape, data: Buffer | undefined): readonly string[] | undefined => {
  if (!shape.declaration.data) return undefined;
  const parts = parseAttributes(data ?? Buffer.alloc(0));
  const verdict = parts.get(n.NFTA_DATA.VERDICT);
  if (verdict) return [verdictText(verdict)];
  const value = parts.get(n.NFTA_DATA.VALUE) ?? Buffer.alloc(0);
  return shape.data.fields.map(({ type, offset }) => getValue(type, value, offset));
};

const valueIn = (data: Buffer | undefined): Buffer =>
  parseAttributes(data ?? Buffer.alloc(0)).get(n.NFTA_DATA.VALUE) ?? Buffer.alloc(0);

const decodeElement = (family: ElementObject['family'], set: string, attributes: Buffer): ElementObject => {
  const shape = shapeOf(family, set);
  const parts = parseAttributes(attributes);
  const first = valueIn(parts.get(n.NFTA_SET_ELEM.KEY));
  const end = parts.get(n.NFTA_SET_ELEM.KEY_END);
  const last = end ? valueIn(end) : first;
  const key = shape.key.fields.map(({ type, offset }) =>
    shape.declaration.interval ? getRange(type, first, last, offset) : getValue(type, first, offset),
  );
  const data = decodeData(shape, parts.get(n.NFTA_SET_ELEM.DATA));
  return { kind: 'element', family, set, key, ...(data ? { data } : {}) };
};

/** The elements in messages that answer `dumpMessage` or `getMessage`. */
export const decodeElements = (
  family: ElementObject['family'],
  set: string,
  messages: readonly Buffer[],
): ElementObject[] =>
  messages.flatMap((message) =>
    listAttributes(
      parseAttributes(message.subarray(NFT_HEADER)).get(n.NFTA_SET_ELEM_LIST.ELEMENTS) ?? Buffer.alloc(0),
    ).map(({ value }) => decodeElement(family, set, value)),
  );

/** Same key in the same set, the same data. */
export const sameElement = (a: ElementObject, b: ElementObject): boolean =>
  a.family === b.family &&
  a.set === b.set &&
  JSON.stringify([a.key, a.data ?? null]) === JSON.stringify([b.key, b.data ?? null]);
