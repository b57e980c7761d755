/** The size of a container's terminal, told to conmon through its control pipe. */

import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { conflict } from '../errors.js';
import * as ffi from '../kernel/ffi.js';
import { closing } from '../kernel/file-calls.js';
import type { TerminalSize } from './contract.js';

/** conmon refuses more, and would ignore the message */
const LARGEST = 1000;
const RESIZE = 1;

/** Throws conflict where conmon is gone. */
export const resizeContainer = (id: string, bundle: string, size: TerminalSize): void => {
  const [rows, columns] = [size.rows, size.columns].map((each) => Math.max(0, Math.min(LARGEST, each)));
  let fd: number;
  try {
    fd = openSync(join(bundle, 'ctl'), ffi.O.WRONLY | ffi.O.NONBLOCK);
  } catch (cause) {
    throw conflict(`Container ${id} is not running`, cause);
  }
  closing(fd, () => writeSync(fd, `${RESIZE} ${rows} ${columns}\n`));
};
