/** Filters of notifications in the kernel: who waits for something rare is not woken for the rest. Classic BPF. */
import * as ffi from './ffi.js';

/** One instruction of classic BPF (`struct sock_filter`): where the condition does not hold, `skip` others are passed over. */
const instruction = (code: number, value: number, skip = 0): Buffer => {
  const out = Buffer.alloc(8);
  out.writeUInt16LE(code);
  out.writeUInt8(skip, 3);
  out.writeUInt32LE(value, 4);
  return out;
};
/** `include/uapi/linux/bpf_common.h` */
const BPF = { LOAD_BYTE: 0x30, JUMP_EQUAL: 0x15, JUMP_SET: 0x45, RETURN: 0x06 } as const;
const WHOLE = 0xffffffff;

/** What a byte of a notification has to be, or which bits of it have to be set. */
export interface ByteTest {
  readonly offset: number;
  readonly is?: number;
  readonly has?: number;
}

/** The kernel keeps all from the socket that does not pass: whoever waits for something rare is not woken for the rest. */
export const onlyWhere = (fd: number, tests: readonly ByteTest[]): void => {
  const program = Buffer.concat([
    ...tests.flatMap(({ offset, is, has = 0 }, i) => [
      instruction(BPF.LOAD_BYTE, offset),
      instruction(
        is === undefined ? BPF.JUMP_SET : BPF.JUMP_EQUAL,
        is ?? has,
        2 * (tests.length - 1 - i) + 1,
      ),
    ]),
    instruction(BPF.RETURN, WHOLE),
    instruction(BPF.RETURN, 0),
    // V8 moves small buffers, and the kernel reads this one by its address.
    Buffer.alloc(64),
  ]);
  const described = Buffer.alloc(16);
  described.writeUInt16LE(2 * tests.length + 2);
  described.writeBigUInt64LE(ffi.addressOf(program), 8);
  ffi.setsockopt(fd, ffi.SOL.SOCKET, ffi.SO.ATTACH_FILTER, described);
};
