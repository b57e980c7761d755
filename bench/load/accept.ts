/** Takes every connection to a port and closes it at once; runs until it is killed. Arguments: port. */
import * as ffi from '../../src/kernel/ffi.js';
import { inet } from './address.js';

const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const BACKLOG = 4096;

const fd = ffi.socket(ffi.AF.INET, ffi.SOCK.STREAM);
ffi.setsockoptInt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
ffi.bind(fd, inet('0.0.0.0', Number(process.argv[2])));
ffi.listen(fd, BACKLOG);
process.stdout.write('ready\n');
for (;;) ffi.close(ffi.accept(fd));
