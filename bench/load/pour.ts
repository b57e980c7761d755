/** Pours questions into TCP connections to a resolver, as fast as they are taken, until it is killed. Arguments: connections, name. */
import { Socket } from 'node:net';
import * as packet from 'dns-packet';

const [connections, name = ''] = process.argv.slice(2);
const question = packet.streamEncode({ type: 'query', questions: [{ name, type: 'A' }] });
const flood = Buffer.concat(Array.from({ length: 2000 }, () => question));

const open = (): void => {
  const socket = new Socket();
  // The resolver may end what is idle or too much; a flood comes again.
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(open, 10));
  socket.on('data', () => {});
  const pour = (): void => void (socket.destroyed || socket.write(flood, pour));
  socket.connect(53, '127.0.0.11', pour);
};

for (let i = 0; i < Number(connections); i += 1) open();
process.stdout.write('ready\n');
