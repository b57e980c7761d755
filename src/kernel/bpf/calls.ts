/** bpf(2): maps and programs. Descriptors that it answers are closed on exec. Numbers are those of `include/uapi/linux/bpf.h`. */
import { ENOENT, failedWith } from '../../errno.js';
import * as ffi from '../ffi.js';
import { INSTRUCTION } from './assembler.js';

const COMMAND = { MAP_CREATE: 0, LOOKUP: 1, UPDATE: 2, DELETE: 3, PROG_LOAD: 5 } as const;
export const MAP_TYPE = { HASH: 1, PROG_ARRAY: 3 } as const;
/** Elements are allocated as they come: a host has room for many and mostly few. */
export const NO_PREALLOC = 1;
/** `BPF_PROG_TYPE_SCHED_CLS` */
const CLASSIFIER = 3;
/** Bytes of the longest name and of `union bpf_attr` as far as it is used here; buffers of this size stay where they are. */
const NAME = 16;
const ATTRIBUTES = 128;
/** Bytes of the longest key or value here, in a buffer that V8 does not move. */
const WORD = 128;
const SYSCALL = process.arch === 'arm64' ? 280 : 321;

type Syscall = (number: number, command: number, attributes: Buffer, size: number) => number | bigint;
let syscall: Syscall | undefined;

/** Made at the first use: a daemon without any such network has none of it. */
const bpf = (command: number, attributes: Buffer, what: string): number => {
  syscall ??= ffi.declare('long syscall(long number, int command, void *attributes, unsigned int size)');
  return ffi.checked('bpf', Number(syscall(SYSCALL, command, attributes, attributes.length)), what);
};

const fixed = (bytes: Buffer): Buffer => {
  const out = Buffer.alloc(Math.max(WORD, bytes.length));
  bytes.copy(out);
  return out;
};

export interface MapShape {
  readonly type: number;
  /** bytes */
  readonly key: number;
  readonly value: number;
  readonly entries: number;
  readonly flags?: number;
  /** to people, 15 bytes at most */
  readonly name: string;
}

export const createMap = ({ type, key, value, entries, flags = 0, name }: MapShape): number => {
  const attributes = Buffer.alloc(ATTRIBUTES);
  [type, key, value, entries, flags].forEach((each, at) => {
    attributes.writeUInt32LE(each, 4 * at);
  });
  attributes.write(name, 28, NAME - 1, 'latin1');
  return bpf(COMMAND.MAP_CREATE, attributes, `map ${name}`);
};

/** Throws a SystemError; where the kernel's verifier refuses it, EACCES or EINVAL. */
export const loadClassifier = (name: string, instructions: Buffer): number => {
  const code = fixed(instructions);
  const license = fixed(Buffer.from('Apache-2.0\0'));
  const attributes = Buffer.alloc(ATTRIBUTES);
  attributes.writeUInt32LE(CLASSIFIER, 0);
  attributes.writeUInt32LE(instructions.length / INSTRUCTION, 4);
  attributes.writeBigUInt64LE(ffi.addressOf(code), 8);
  attributes.writeBigUInt64LE(ffi.addressOf(license), 16);
  attributes.write(name, 48, NAME - 1, 'latin1');
  return bpf(COMMAND.PROG_LOAD, attributes, `program ${name}`);
};

const element = (command: number, map: number, key: Buffer, value: Buffer | undefined): void => {
  const attributes = Buffer.alloc(ATTRIBUTES);
  const at = fixed(key);
  attributes.writeUInt32LE(map, 0);
  attributes.writeBigUInt64LE(ffi.addressOf(at), 8);
  if (value) attributes.writeBigUInt64LE(ffi.addressOf(value), 16);
  bpf(command, attributes, 'element');
};

export const putElement = (map: number, key: Buffer, value: Buffer): void =>
  element(COMMAND.UPDATE, map, key, fixed(value));

/** Nothing where there is none. */
export const dropElement = (map: number, key: Buffer): void => {
  try {
    element(COMMAND.DELETE, map, key, undefined);
  } catch (error) {
    if (!failedWith(error, ENOENT)) throw error;
  }
};

/** Of so many bytes; undefined: there is none. */
export const findElement = (map: number, key: Buffer, size: number): Buffer | undefined => {
  const value = Buffer.alloc(WORD);
  try {
    element(COMMAND.LOOKUP, map, key, value);
  } catch (error) {
    if (failedWith(error, ENOENT)) return undefined;
    throw error;
  }
  return value.subarray(0, size);
};
