/**
 * eBPF programs, assembled. Instructions are data; jumps name labels, which `assemble` turns into distances. Pure. Opcodes are those
 * of `include/uapi/linux/bpf.h` and `bpf_common.h`.
 */

/** R0 answers, R1–R5 are arguments and lost with a call, R6–R9 stay, R10 is the end of the stack (512 bytes below it). */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;
/** bytes */
export type Size = 1 | 2 | 4 | 8;

interface Instruction {
  readonly code: number;
  readonly dst?: Register;
  readonly src?: number;
  /** bytes of a memory access; of a jump, the label that it leads to */
  readonly off?: number | string;
  readonly imm?: number;
}
export type Line = Instruction | { readonly label: string };

const CLASS = { LOAD_IMM64: 0x18, LOAD: 0x61, STORE: 0x63, ALU64: 0x07, JUMP: 0x05 } as const;
/** Where an operation has a register in place of its immediate value. */
const FROM_REGISTER = 0x08;
const SIZE: Readonly<Record<Size, number>> = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 };
const OR = 0x40;
const ADD = 0x00;
const MOVE = 0xb0;
const CONDITION = { '==': 0x10, '!=': 0x50, '>': 0x20 } as const;
const CALL = 0x80;
const EXIT = 0x90;
const ALWAYS = 0x00;
const MAP_FD = 1;

export const label = (name: string): Line => ({ label: name });
/** `dst = *(size *)(src + off)`, the rest of the register zero */
export const load = (size: Size, dst: Register, src: Register, off: number): Line => ({
  code: CLASS.LOAD | SIZE[size],
  dst,
  src,
  off,
});
/** `*(size *)(dst + off) = src` */
export const store = (size: Size, dst: Register, off: number, src: Register): Line => ({
  code: CLASS.STORE | SIZE[size],
  dst,
  src,
  off,
});
export const move = (dst: Register, src: Register): Line => ({
  code: CLASS.ALU64 | MOVE | FROM_REGISTER,
  dst,
  src,
});
export const set = (dst: Register, imm: number): Line => ({ code: CLASS.ALU64 | MOVE, dst, imm });
export const add = (dst: Register, imm: number): Line => ({ code: CLASS.ALU64 | ADD, dst, imm });
export const or = (dst: Register, src: Register): Line => ({
  code: CLASS.ALU64 | OR | FROM_REGISTER,
  dst,
  src,
});
export const jump = (to: string): Line => ({ code: CLASS.JUMP | ALWAYS, off: to });
/** Compared without sign, as 64 bits. */
export const jumpIf = (dst: Register, when: keyof typeof CONDITION, imm: number, to: string): Line => ({
  code: CLASS.JUMP | CONDITION[when],
  dst,
  imm,
  off: to,
});
export const jumpIfRegister = (
  dst: Register,
  when: keyof typeof CONDITION,
  src: Register,
  to: string,
): Line => ({ code: CLASS.JUMP | CONDITION[when] | FROM_REGISTER, dst, src, off: to });
/** A helper of the kernel's, by its number (`enum bpf_func_id`). */
export const call = (helper: number): Line => ({ code: CLASS.JUMP | CALL, imm: helper });
export const exit = (): Line => ({ code: CLASS.JUMP | EXIT });
/** The map of this descriptor, which the kernel replaces by its address: two slots. */
export const loadMap = (dst: Register, fd: number): readonly Line[] => [
  { code: CLASS.LOAD_IMM64, dst, src: MAP_FD, imm: fd },
  { code: 0 },
];

/** Bytes of an instruction (`struct bpf_insn`). */
export const INSTRUCTION = 8;

const encode = ({ code, dst = 0, src = 0, imm = 0 }: Instruction, off: number): Buffer => {
  const out = Buffer.alloc(INSTRUCTION);
  out.writeUInt8(code, 0);
  out.writeUInt8((src << 4) | dst, 1);
  out.writeInt16LE(off, 2);
  out.writeInt32LE(imm, 4);
  return out;
};

/** Throws a TypeError where a jump leads to no label. */
export const assemble = (lines: readonly Line[]): Buffer => {
  const labels = new Map<string, number>();
  const instructions: Instruction[] = [];
  for (const line of lines)
    if ('label' in line) labels.set(line.label, instructions.length);
    else instructions.push(line);
  const offset = ({ off = 0 }: Instruction, at: number): number => {
    if (typeof off === 'number') return off;
    const to = labels.get(off);
    if (to === undefined) throw new TypeError(`no label ${off}`);
    return to - at - 1;
  };
  return Buffer.concat(instructions.map((each, at) => encode(each, offset(each, at))));
};
