/** OpenFlow 1.3 messages (ONF TS-006, 7): those we send, those we read. Pure. */
import type { OvsFlowObject } from '../plan/objects.js';
import { decodeMatch, encodeMatch, OFPP, type PortNumbers } from './oxm.js';

const VERSION = 4;
/** `enum ofp_type` */
export const OFPT = {
  HELLO: 0,
  ERROR: 1,
  ECHO_REQUEST: 2,
  ECHO_REPLY: 3,
  FLOW_MOD: 14,
  MULTIPART_REQUEST: 18,
  MULTIPART_REPLY: 19,
  BARRIER_REQUEST: 20,
  BARRIER_REPLY: 21,
  METER_MOD: 29,
} as const;
/** `enum ofp_multipart_type` */
const OFPMP = { FLOW: 1, AGGREGATE: 2, METER_CONFIG: 10 } as const;
const MORE = 1;
/** `enum ofp_flow_mod_command` */
const COMMAND = { ADD: 0, DELETE_STRICT: 4 } as const;
const METER = { ADD: 0, DELETE: 2 } as const;
/** `enum ofp_meter_flags`: kbit/s, with a burst size */
const METER_FLAGS = 1 | 4;
const INSTRUCTION = { GOTO: 1, APPLY: 4, METER: 6 } as const;
const NO_BUFFER = 0xffffffff;
const ALL = 0xffffffff;
const ALL_TABLES = 0xff;
const HEADER = 8;

/** Flows of ours carry it in the upper 16 bits of their cookie ("vi"). */
const COOKIE = { value: '7669000000000000', mask: 'ffff000000000000' } as const;

export const message = (type: number, xid: number, body: Buffer = Buffer.alloc(0)): Buffer => {
  const out = Buffer.alloc(HEADER);
  out.writeUInt8(VERSION, 0);
  out.writeUInt8(type, 1);
  out.writeUInt16BE(HEADER + body.length, 2);
  out.writeUInt32BE(xid, 4);
  return Buffer.concat([out, body]);
};

export interface Answer {
  readonly version: number;
  readonly type: number;
  readonly xid: number;
  readonly body: Buffer;
}

/** The whole messages in `bytes`, and what is left. */
export const splitAnswers = (
  bytes: Buffer,
): { readonly answers: readonly Answer[]; readonly rest: Buffer } => {
  const answers: Answer[] = [];
  let at = 0;
  while (bytes.length - at >= HEADER) {
    const length = Math.max(HEADER, bytes.readUInt16BE(at + 2));
    if (bytes.length - at < length) break;
    answers.push({
      version: bytes.readUInt8(at),
      type: bytes.readUInt8(at + 1),
      xid: bytes.readUInt32BE(at + 4),
      body: bytes.subarray(at + HEADER, at + length),
    });
    at += length;
  }
  return { answers, rest: bytes.subarray(at) };
};

const words = (...values: readonly number[]): Buffer => {
  const out = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => {
    out.writeUInt32BE(value >>> 0, 4 * i);
  });
  return out;
};

const instruction = (type: number, body: Buffer): Buffer => {
  const header = Buffer.alloc(4);
  header.writeUInt16BE(type, 0);
  header.writeUInt16BE(4 + body.length, 2);
  return Buffer.concat([header, body]);
};

/** `OFPAT_OUTPUT` */
const output = (port: number): Buffer => {
  const out = Buffer.alloc(16);
  out.writeUInt16BE(16, 2);
  out.writeUInt32BE(port, 4);
  return out;
};

const actionBytes = (action: OvsFlowObject['action']): Buffer => {
  if (action === 'drop') return Buffer.alloc(0);
  if (action === 'NORMAL')
    return instruction(INSTRUCTION.APPLY, Buffer.concat([words(0), output(OFPP.NORMAL)]));
  return instruction(INSTRUCTION.GOTO, words(Number(action.slice('goto_table:'.length)) << 24));
};

interface FlowMod {
  readonly command: number;
  readonly table: number;
  readonly priority: number;
  readonly cookie: string;
  /** encoded */
  readonly match: Buffer;
  readonly instructions: Buffer;
}

const flowMod = (xid: number, { command, table, priority, cookie, match, instructions }: FlowMod): Buffer => {
  const fixed = Buffer.alloc(40);
  fixed.write(cookie, 0, 'hex');
  fixed.writeUInt8(table, 16);
  fixed.writeUInt8(command, 17);
  fixed.writeUInt16BE(priority, 22);
  fixed.writeUInt32BE(NO_BUFFER, 24);
  fixed.writeUInt32BE(OFPP.ANY, 28);
  fixed.writeUInt32BE(ALL, 32);
  return message(OFPT.FLOW_MOD, xid, Buffer.concat([fixed, match, instructions]));
};

/** Adds a flow, or puts it in place of one with the same match and priority. Throws NoSuchPort. */
export const addFlow = (
  xid: number,
  o: OvsFlowObject,
  ports: PortNumbers,
  meter: number | undefined,
): Buffer =>
  flowMod(xid, {
    command: COMMAND.ADD,
    table: o.table,
    priority: o.priority,
    cookie: o.cookie,
    match: encodeMatch(o.match, ports),
    instructions: Buffer.concat([
      ...(meter === undefined ? [] : [instruction(INSTRUCTION.METER, words(meter))]),
      actionBytes(o.action),
    ]),
  });

/** Deletes exactly the flow that was read. */
export const deleteFlow = (xid: number, { table, priority, rawMatch }: FlowEntry): Buffer =>
  flowMod(xid, {
    command: COMMAND.DELETE_STRICT,
    table,
    priority,
    cookie: '0000000000000000',
    match: rawMatch,
    instructions: Buffer.alloc(0),
  });

const meterMod = (xid: number, command: number, id: number, bands: Buffer): Buffer => {
  const fixed = Buffer.alloc(8);
  fixed.writeUInt16BE(command, 0);
  fixed.writeUInt16BE(METER_FLAGS, 2);
  fixed.writeUInt32BE(id, 4);
  return message(OFPT.METER_MOD, xid, Buffer.concat([fixed, bands]));
};

/** `OFPMBT_DROP` */
export const addMeter = (xid: number, id: number, { kbps, burst }: { kbps: number; burst: number }): Buffer =>
  meterMod(xid, METER.ADD, id, Buffer.concat([Buffer.from([0, 1, 0, 16]), words(kbps, burst, 0)]));
/** Takes the flows that use it along. */
export const deleteMeter = (xid: number, id: number): Buffer =>
  meterMod(xid, METER.DELETE, id, Buffer.alloc(0));

const multipart = (xid: number, type: number, body: Buffer): Buffer => {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(type, 0);
  return message(OFPT.MULTIPART_REQUEST, xid, Buffer.concat([header, body]));
};

/** `struct ofp_flow_stats_request`, for flows with our mark in all tables */
const ourFlows = (): Buffer => {
  const noMatch = Buffer.from([0, 1, 0, 4, 0, 0, 0, 0]);
  return Buffer.concat([
    words(ALL_TABLES << 24, OFPP.ANY, ALL, 0),
    Buffer.from(COOKIE.value, 'hex'),
    Buffer.from(COOKIE.mask, 'hex'),
    noMatch,
  ]);
};

export const dumpFlows = (xid: number): Buffer => multipart(xid, OFPMP.FLOW, ourFlows());
export const countFlows = (xid: number): Buffer => multipart(xid, OFPMP.AGGREGATE, ourFlows());
export const dumpMeters = (xid: number): Buffer => multipart(xid, OFPMP.METER_CONFIG, words(ALL, 0));

/** True where further parts of the same answer follow. */
export const hasMore = ({ type, body }: Answer): boolean =>
  type === OFPT.MULTIPART_REPLY && (body.readUInt16BE(2) & MORE) !== 0;

/** `flow_count` of `struct ofp_aggregate_stats_reply` */
export const flowCount = ({ body }: Answer): number => (body.length >= 28 ? body.readUInt32BE(24) : 0);

/** One flow as the switch has it. */
export interface FlowEntry {
  readonly table: number;
  readonly priority: number;
  readonly cookie: string;
  readonly rawMatch: Buffer;
  readonly match: Readonly<Record<string, string>>;
  readonly action: string;
  readonly meter?: number;
}

const actionText = (body: Buffer): string => {
  const normal = body.length === 20 && body.readUInt16BE(4) === 0 && body.readUInt32BE(8) === OFPP.NORMAL;
  return normal ? 'NORMAL' : `#${body.toString('hex')}`;
};

const instructionsOf = (bytes: Buffer): { action: string; meter?: number } => {
  let action = 'drop';
  let meter: number | undefined;
  for (let at = 0; at + 8 <= bytes.length; ) {
    const [type, length] = [bytes.readUInt16BE(at), Math.max(8, bytes.readUInt16BE(at + 2))];
    const body = bytes.subarray(at + 4, at + length);
    if (type === INSTRUCTION.GOTO) action = `goto_table:${body.readUInt8(0)}`;
    else if (type === INSTRUCTION.METER) meter = body.readUInt32BE(0);
    else if (type === INSTRUCTION.APPLY) action = actionText(body);
    else action = `#${type}`;
    at += length;
  }
  return { action, ...(meter === undefined ? {} : { meter }) };
};

/** `struct ofp_flow_stats` without its length */
const flowEntry = (bytes: Buffer, ports: PortNumbers): FlowEntry => {
  const matchLength = bytes.readUInt16BE(50);
  const padded = (matchLength + 7) & ~7;
  const rawMatch = Buffer.from(bytes.subarray(48, 48 + padded));
  return {
    table: bytes.readUInt8(2),
    priority: bytes.readUInt16BE(12),
    cookie: bytes.toString('hex', 24, 32),
    rawMatch,
    match: decodeMatch(rawMatch, ports),
    ...instructionsOf(bytes.subarray(48 + padded)),
  };
};

/** Pieces of a multipart body that begin with their length. */
const pieces = (body: Buffer, least: number): readonly Buffer[] => {
  const out: Buffer[] = [];
  for (let at = 8; at + least <= body.length; ) {
    const length = Math.max(least, body.readUInt16BE(at));
    out.push(body.subarray(at, at + length));
    at += length;
  }
  return out;
};

export const flowEntries = ({ body }: Answer, ports: PortNumbers): readonly FlowEntry[] =>
  pieces(body, 56).map((piece) => flowEntry(piece, ports));

export interface MeterEntry {
  readonly id: number;
  readonly kbps: number;
  readonly burst: number;
}

/** `struct ofp_meter_config`; the rate is that of the first band. */
export const meterEntries = ({ body }: Answer): readonly MeterEntry[] =>
  pieces(body, 8).map((piece) => ({
    id: piece.readUInt32BE(4),
    kbps: piece.length >= 24 ? piece.readUInt32BE(12) : 0,
    burst: piece.length >= 24 ? piece.readUInt32BE(16) : 0,
  }));

/** `enum ofp_error_type` and code, as numbers: what they mean is in `ovs-fields(7)` and the specification. */
export const errorText = ({ body }: Answer): string =>
  body.length >= 4
    ? `OpenFlow error type ${body.readUInt16BE(0)} code ${body.readUInt16BE(2)}`
    : 'OpenFlow error';
