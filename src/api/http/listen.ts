/**
 * The daemon's addresses: `unix://`, `tcp://` (with TLS where configured) and `fd://` (sockets that systemd opened).
 * A unix socket is 0660 from its first moment; a file in its place is removed only when nobody answers there.
 */
import { chmodSync, chownSync, existsSync, readFileSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import net from 'node:net';
import { conflict, invalid } from '../../errors.js';

export interface Listening {
  /** group that may use the unix socket; ignored where the host has none of that name */
  readonly group: string;
  /** a server for one address; `encrypted`: TLS applies */
  server(encrypted: boolean): Server;
}

/** systemd's first passed descriptor: SD_LISTEN_FDS_START of sd-daemon.h */
const FIRST_PASSED_FD = 3;

/** Opens every host; on a failure those already open are closed again. */
export const listenOn = async (hosts: readonly string[], options: Listening): Promise<readonly Server[]> => {
  const open: Server[] = [];
  try {
    for (const host of hosts) open.push(...(await listenOne(host, options)));
    return open;
  } catch (failure) {
    for (const server of open) server.close();
    throw failure;
  }
};

const listenOne = async (host: string, options: Listening): Promise<readonly Server[]> => {
  const [scheme, address] = split(host);
  if (scheme === 'unix') return [await listenUnix(address, options)];
  if (scheme === 'tcp') return [await listenTcp(address, options)];
  if (scheme === 'fd') return Promise.all(passed(address).map((fd) => listenPassed(fd, options)));
  throw invalid(`invalid host ${host}: use unix://, tcp:// or fd://`);
};

const split = (host: string): readonly [scheme: string, address: string] => {
  const separator = host.indexOf('://');
  return separator < 0 ? ['', host] : [host.slice(0, separator), host.slice(separator + 3)];
};

const listenUnix = async (path: string, options: Listening): Promise<Server> => {
  if (existsSync(path)) await removeStale(path);
  const server = options.server(false);
  // bind() happens inside listen(), before it returns: no moment in which others may connect.
  const umask = process.umask(0o117);
  const listening = started(server, () => server.listen(path));
  process.umask(umask);
  await listening;
  chmodSync(path, 0o660);
  const group = groupId(options.group);
  if (group !== undefined) chownSync(path, 0, group);
  return server;
};

const removeStale = async (path: string): Promise<void> => {
  const answered = await new Promise<boolean>((resolve, reject) => {
    const probe = net.connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      else reject(conflict(`can't create unix socket ${path}: ${error.message}`, error));
    });
  });
  if (answered) throw conflict(`can't create unix socket ${path}: another daemon listens there`);
  unlinkSync(path);
};

/** gid of a group's name (or of a number as text), from /etc/group. */
const groupId = (name: string): number | undefined => {
  if (/^\d{1,9}$/.test(name)) return Number(name);
  if (name === '' || !existsSync('/etc/group')) return undefined;
  for (const line of readFileSync('/etc/group', 'utf8').split('\n')) {
    const [group, , id] = line.split(':');
    if (group === name && id !== undefined) return Number(id);
  }
  return undefined;
};

const listenTcp = (address: string, options: Listening): Promise<Server> => {
  const found = /^(\[[0-9a-fA-F:.%]{1,60}\]|[^:/[\]]{0,255}):(\d{1,5})\/?$/.exec(address);
  if (found === null || Number(found[2]) > 65535) {
    throw invalid(`invalid bind address tcp://${address}: use tcp://address:port`);
  }
  const host = (found[1] ?? '').replace(/^\[|\]$/g, '');
  const server = options.server(true);
  return started(server, () =>
    server.listen({ port: Number(found[2]), host: host === '' ? '0.0.0.0' : host }),
  );
};

const passed = (address: string): readonly number[] => {
  const count = Number(process.env.LISTEN_FDS ?? 0);
  if (Number(process.env.LISTEN_PID ?? 0) !== process.pid || !(count > 0)) {
    throw invalid('no sockets found via socket activation: make sure the service was started by systemd');
  }
  const all = Array.from({ length: count }, (_, i) => FIRST_PASSED_FD + i);
  if (address === '' || address === '*') return all;
  const wanted = Number(address);
  if (!all.includes(wanted)) throw invalid(`failed to use fd://${address}: systemd passed no such socket`);
  return [wanted];
};

const listenPassed = (fd: number, options: Listening): Promise<Server> => {
  const server = options.server(false);
  return started(server, () => server.listen({ fd }));
};

const started = (server: Server, listen: () => void): Promise<Server> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve(server);
    });
    listen();
  });
