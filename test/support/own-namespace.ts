/**
 * Set-up of every kernel test file: its process leaves the host's network namespace before any test runs, so that
 * `host` means a fresh, empty namespace which dies with the process. Invariant: a kernel test never sees the host.
 */
import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import * as ffi from '../../src/kernel/ffi.js';

if (process.getuid?.() !== 0) throw new Error('kernel tests need root: run them through `sudo npm test`');

const before = readlinkSync('/proc/self/ns/net');
ffi.unshare(ffi.CLONE.NEWNET);
if (readlinkSync('/proc/self/ns/net') === before) throw new Error('still in the host’s network namespace');
execFileSync('ip', ['link', 'set', 'lo', 'up']);
