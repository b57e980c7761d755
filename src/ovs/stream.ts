/**
 * A blocking connection to a unix socket that never waits beyond its deadline. Plans are carried out synchronously (ADR
 * 2), so Open vSwitch is spoken to as the kernel is.
 */
import { EAGAIN, EINTR, failedWith } from '../errno.js';
import { unavailable, type ViaductError } from '../errors.js';
import * as ffi from '../kernel/ffi.js';

/** `sun_path` of `struct sockaddr_un`, with its NUL */
const LONGEST_PATH = 108;

/** Nothing listens, nobody answers in time, or the connection broke: all that a later attempt may find otherwise. */
export class OvsSilent extends Error {
  override readonly name = 'OvsSilent';
  constructor(
    readonly path: string,
    readonly why: 'absent' | 'late' | 'broken',
    cause?: unknown,
  ) {
    super(`${path}: ${why}`, { cause });
  }
}

const SAYS: Record<OvsSilent['why'], string> = {
  absent: 'is not running: nothing listens on',
  late: 'does not answer on',
  broken: 'broke the connection on',
};

/** What the user reads. */
const silence = ({ path, why }: OvsSilent): ViaductError =>
  unavailable(
    `Open vSwitch ${SAYS[why]} ${path} (install it with "apt install openvswitch-switch", start it with "systemctl start openvswitch-switch")`,
  );

const unixAddress = (path: string): Buffer => {
  const bytes = Buffer.from(path);
  if (bytes.length >= LONGEST_PATH) throw new OvsSilent(path, 'absent');
  const out = Buffer.alloc(2 + LONGEST_PATH);
  out.writeUInt16LE(ffi.AF.UNIX, 0);
  bytes.copy(out, 2);
  return out;
};

/** `struct timeval` of two 64-bit words; zero would mean for ever. */
const timeval = (ms: number): Buffer => {
  const out = Buffer.alloc(16);
  const whole = Math.max(1, Math.ceil(ms));
  out.writeBigInt64LE(BigInt(Math.floor(whole / 1000)), 0);
  out.writeBigInt64LE(BigInt((whole % 1000) * 1000), 8);
  return out;
};

/** A signal (a child of ours ends) breaks off calls that have a limit of time, and says nothing of Open vSwitch. */
const unbroken = <T>(call: () => T): T => {
  for (;;) {
    try {
      return call();
    } catch (error) {
      if (!failedWith(error, EINTR)) throw error;
    }
  }
};

export class Stream {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(1 << 16);

  /** Throws OvsSilent. `deadline` as `performance.now()` tells it. */
  constructor(
    private readonly path: string,
    private readonly deadline: number,
  ) {
    this.#fd = ffi.socket(ffi.AF.UNIX, ffi.SOCK.STREAM);
    try {
      unbroken(() => {
        this.#limit(ffi.SO.SNDTIMEO);
        ffi.connect(this.#fd, unixAddress(path));
      });
    } catch (error) {
      ffi.close(this.#fd);
      throw this.#silent(error, 'absent');
    }
  }

  write(data: Buffer): void {
    for (let rest = data; rest.length > 0; ) {
      try {
        rest = unbroken(() => {
          this.#limit(ffi.SO.SNDTIMEO);
          return rest.subarray(ffi.send(this.#fd, rest, MSG_NOSIGNAL));
        });
      } catch (error) {
        throw this.#silent(error, 'broken');
      }
    }
  }

  /** The next bytes, at least one. */
  read(): Buffer {
    try {
      const n = unbroken(() => {
        this.#limit(ffi.SO.RCVTIMEO);
        return ffi.recv(this.#fd, this.#buffer);
      });
      if (n < 0) throw new OvsSilent(this.path, 'late');
      if (n === 0) throw new OvsSilent(this.path, 'broken');
      return Buffer.from(this.#buffer.subarray(0, n));
    } catch (error) {
      throw this.#silent(error, 'broken');
    }
  }

  close(): void {
    ffi.close(this.#fd);
  }

  #limit(option: number): void {
    const left = this.deadline - performance.now();
    if (left <= 0) throw new OvsSilent(this.path, 'late');
    ffi.setsockopt(this.#fd, ffi.SOL.SOCKET, option, timeval(left));
  }

  #silent(error: unknown, why: OvsSilent['why']): unknown {
    if (!(error instanceof ffi.SystemError)) return error;
    return new OvsSilent(this.path, error.errno === EAGAIN ? 'late' : why, error);
  }
}

const MSG_NOSIGNAL = 0x4000;

/**
 * How long a healthy Open vSwitch may take to answer, and to carry out a change (a bridge in the kernel waits for RCU, on a
 * slow or busy machine more than a second); how long it is waited for once it was too late.
 */
const LIMIT_MS = { answer: 1_000, change: 3_000, late: 150 } as const;

/** So long is one that was late waited for but shortly: a machine that is always slow must not be shut out for good. */
const SHORT_FOR_MS = 10_000;

/**
 * Keeps a hanging Open vSwitch from holding everybody up each time: after one answer that was too late, the next attempts
 * wait only a moment, until one is answered or a while has gone by.
 */
export class Patience {
  #shortUntil = 0;

  /** Runs `work` with a deadline. What throws OvsSilent comes out as unavailable, with the OvsSilent as its cause. */
  attempt<T>(work: (deadline: number) => T, what: 'answer' | 'change' = 'answer'): T {
    const now = performance.now();
    const short = now < this.#shortUntil;
    try {
      const result = work(now + LIMIT_MS[short ? 'late' : what]);
      this.#shortUntil = 0;
      return result;
    } catch (error) {
      if (!(error instanceof OvsSilent)) throw error;
      if (error.why === 'late' && !short) this.#shortUntil = performance.now() + SHORT_FOR_MS;
      throw Object.assign(silence(error), { cause: error });
    }
  }
}

/** True for what a later attempt may find otherwise: Open vSwitch was not there, or did not answer. */
const isSilence = (error: unknown): boolean => error instanceof Error && error.cause instanceof OvsSilent;

/** False where Open vSwitch did not answer. */
export const unlessSilent = (work: () => void): boolean => {
  try {
    work();
    return true;
  } catch (error) {
    if (!isSilence(error)) throw error;
    return false;
  }
};
