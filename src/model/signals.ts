/** Signal names as clients send them (`SIGTERM`, `term`, `15`) to numbers, on Linux. Pure. */

/** 1 to 31, in order (`include/uapi/asm-generic/signal.h`; x86-64 and arm64 alike). */
const NAMES =
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'.split(
    ' ',
  );
const OTHER_NAMES: Readonly<Record<string, number>> = { IOT: 6, POLL: 29 };
const REALTIME_MIN = 34;
const REALTIME_MAX = 64;

const realtime = (name: string): number | undefined => {
  const match = /^RTM(IN|AX)([+-]\d{1,2})?$/.exec(name);
  if (!match) return undefined;
  return (match[1] === 'IN' ? REALTIME_MIN : REALTIME_MAX) + Number(match[2] ?? 0);
};

const named = (name: string): number | undefined => {
  const at = NAMES.indexOf(name);
  if (at >= 0) return at + 1;
  return Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name] : realtime(name);
};

/** Undefined where it is no signal's. */
export const findSignal = (text: string): number | undefined => {
  if (text.length > 32) return undefined;
  const number = /^\d{1,4}$/.test(text) ? Number(text) : named(text.toUpperCase().replace(/^SIG/, ''));
  return number !== undefined && number >= 1 && number <= REALTIME_MAX ? number : undefined;
};
