/** A program that becomes another one to which the kernel refuses a system call (EPERM), as a unit's SystemCallFilter= does. */

/**
 * Four instructions of classic BPF (include/uapi/linux/filter.h): load the call's number, compare, answer
 * SECCOMP_RET_ERRNO | EPERM or SECCOMP_RET_ALLOW. prctl: 22 is PR_SET_SECCOMP, 2 SECCOMP_MODE_FILTER. As root it needs no more.
 */
const SCRIPT = `
import ctypes, os, struct, sys
rules = [(0x20, 0, 0, 0), (0x15, 0, 1, int(sys.argv[1])), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *rule) for rule in rules))
program = ctypes.create_string_buffer(struct.pack('HxxxxxxP', len(rules), ctypes.addressof(code)))
if ctypes.CDLL(None, use_errno=True).prctl(22, 2, program, 0, 0) != 0:
    raise OSError(ctypes.get_errno(), 'prctl')
os.execvp(sys.argv[2], sys.argv[2:])
`;

/** Its command line, to be followed by the program. `call`: the number, of `include/uapi/asm-generic/unistd.h` for new calls. */
export const withoutCall = (call: number): readonly string[] => ['python3', '-c', SCRIPT, String(call)];
