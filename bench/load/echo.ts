/** Sends every byte back on one connection after the other; runs until it is killed. Arguments: port. */
import * as ffi from '../../src/kernel/ffi.js';
import { inet, noDelay } from './address.js';

const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;

const listener = ffi.socket(ffi.AF.INET, ffi.SOCK.STREAM);
ffi.setsockoptInt(listener, SOL_SOCKET, SO_REUSEADDR, 1);
ffi.bind(listener, inet('0.0.0.0', Number(process.argv[2])));
ffi.listen(listener, 16);
process.stdout.write('ready\n');

const buffer = Buffer.alloc(64);
const serve = (fd: number): void => {
  for (let length = ffi.recv(fd, buffer); length > 0; length = ffi.recv(fd, buffer))
    ffi.send(fd, buffer.subarray(0, length));
};
for (;;) {
  const fd = ffi.accept(listener);
  noDelay(fd);
  serve(fd);
  ffi.close(fd);
}
