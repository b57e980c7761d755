/** A DNS server in the "outside", the resolver that the host's resolv.conf names: answers what it is told, and counts. */
import { createSocket } from 'node:dgram';
import { decode, encode, type Packet, RECURSION_DESIRED } from 'dns-packet';
import * as ffi from '../../src/kernel/ffi.js';
import { inNamespace } from '../../src/kernel/netns.js';
import { sockaddr } from '../../src/kernel/sockaddr.js';
import { OUTSIDE } from './world.js';

export interface Upstream {
  /** every name asked for, in order */
  readonly asked: string[];
  /** name → IPv4 address; any other name does not exist. May be changed at any time. */
  readonly records: Record<string, string>;
  close(): void;
}

const answerTo = (query: Packet, records: Readonly<Record<string, string>>): Packet => {
  const question = query.questions?.[0];
  const address = records[question?.name.toLowerCase() ?? ''];
  const answers =
    question?.type === 'A' && address
      ? [{ type: 'A' as const, name: question.name, ttl: 60, data: address }]
      : [];
  const noSuchName = 3; // RFC 1035 RCODE
  const flags = RECURSION_DESIRED | 0x80 | (address ? 0 : noSuchName);
  return { type: 'response', id: query.id ?? 0, flags, questions: query.questions ?? [], answers };
};

/** `netns`: path of the namespace that has the address. */
export const startUpstream = async (netns: string, address: string = OUTSIDE.ipv4): Promise<Upstream> => {
  const fd = inNamespace(netns, () => {
    const made = ffi.socket(ffi.AF.INET, ffi.SOCK.DGRAM | ffi.SOCK.NONBLOCK);
    ffi.bind(made, sockaddr(address, 53));
    return made;
  });
  const asked: string[] = [];
  const records: Record<string, string> = {};
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => {
    const query = decode(message);
    asked.push(query.questions?.[0]?.name.toLowerCase() ?? '');
    socket.send(encode(answerTo(query, records)), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind({ fd, exclusive: true }, resolve));
  return { asked, records, close: () => void socket.close() };
};
