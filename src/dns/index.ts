/**
 * The embedded resolver: 127.0.0.11 in every sandbox, served by this one process. Sockets are opened inside the
 * sandbox's namespace on hidden ports; a redirect leads port 53 to them, so the container's own servers keep theirs.
 */

import { EADDRINUSE, failedWith } from '../errno.js';
import type { LocalObjects } from '../kernel/contract.js';
import * as ffi from '../kernel/ffi.js';
import { inNamespace } from '../kernel/netns.js';
import type { SandboxRedirect } from '../kernel/nftables/sandbox.js';
import { parseSockaddr, sockaddr } from '../kernel/sockaddr.js';
import type { ResolverObject } from '../plan/objects.js';
import { answer, writeEmpty } from './answer.js';
import type { Names } from './contract.js';
import { createForwarder, type ForwardLimits, type Outcome, type Over, type Share } from './forward.js';
import { HEADER_LENGTH, type Query } from './message.js';
import { openTcp, type TcpDoor } from './tcp.js';
import { openUdp, type UdpDoor } from './udp.js';
import type { Upstream } from './upstream.js';

const RESOLVER_ADDRESS = '127.0.0.11';
const BACKLOG = 128;
const ANY_PORTS = { udp: 0, tcp: 0 } as const;
const MAX_TCP_ANSWER = 65535;

export type HiddenPorts = Parameters<SandboxRedirect['lead']>[0];

export interface ResolverOptions {
  readonly names: Names;
  /** The redirect inside the namespace; closed when it leads to us. */
  readonly redirect: (ns: string) => SandboxRedirect;
  /** port of the upstream servers, 53; others for tests */
  readonly upstreamPort?: number;
  readonly limits?: ForwardLimits;
  /** a socket failed and was closed */
  readonly warn?: (message: string, error: Error) => void;
}

export interface Resolver extends LocalObjects<ResolverObject> {
  /** for tests and diagnosis */
  ports(ns: string): HiddenPorts | undefined;
  /** questions that wait for upstream servers */
  readonly underWay: number;
  close(): void;
}

interface Running {
  readonly object: ResolverObject;
  readonly ports: HiddenPorts;
  readonly share: Share;
  readonly udp: UdpDoor;
  readonly tcp: TcpDoor;
}

interface Bound {
  readonly fd: number;
  readonly port: number;
}
interface Doors {
  readonly udp: Bound;
  readonly tcp: Bound;
}

/** `port` 0: any that is free. */
const boundAt = (type: number, port: number): Bound => {
  const fd = ffi.socket(ffi.AF.INET, type | ffi.SOCK.NONBLOCK);
  try {
    ffi.bind(fd, sockaddr(RESOLVER_ADDRESS, port));
    if (type === ffi.SOCK.STREAM) ffi.listen(fd, BACKLOG);
    return { fd, port: parseSockaddr(ffi.getsockname(fd))?.port ?? 0 };
  } catch (error) {
    ffi.close(fd);
    throw error;
  }
};

const openBoth = (ports: HiddenPorts): Doors => {
  const udp = boundAt(ffi.SOCK.DGRAM, ports.udp);
  try {
    return { udp, tcp: boundAt(ffi.SOCK.STREAM, ports.tcp) };
  } catch (error) {
    ffi.close(udp.fd);
    throw error;
  }
};

/** Where a former daemon listened, unless somebody of the container's took that place meanwhile. */
const openDoors = (ns: string, led: HiddenPorts | undefined): Doors =>
  inNamespace(ns, () => {
    try {
      return openBoth(led ?? ANY_PORTS);
    } catch (error) {
      if (!led || !failedWith(error, EADDRINUSE)) throw error;
      return openBoth(ANY_PORTS);
    }
  });

/** Open doors to which the redirect leads. */
const led = (redirect: SandboxRedirect, ns: string): Doors => {
  try {
    const doors = openDoors(ns, redirect.led);
    try {
      redirect.lead({ udp: doors.udp.port, tcp: doors.tcp.port });
    } catch (error) {
      ffi.close(doors.udp.fd);
      ffi.close(doors.tcp.fd);
      throw error;
    }
    return doors;
  } finally {
    redirect.close();
  }
};

/**
 * dockerd's rule: servers of the host's resolv.conf are asked from the host's namespace, and not at all for a sandbox on
 * internal networks alone; servers the user named are asked from the sandbox's own namespace, with its own reach.
 */
const upstreams = (names: Names, object: ResolverObject, port: number): readonly Upstream[] => {
  const dns = names.dns(object.sandboxId);
  if (dns === undefined) return [];
  if (dns.hostServers === true) {
    if (!names.forwards(object.sandboxId)) return [];
    return dns.servers.map((address) => ({ ns: 'host', address, port }));
  }
  return dns.servers
    .filter((address) => address !== RESOLVER_ADDRESS)
    .map((address) => ({ ns: object.ns, address, port }));
};

/** One scratch for answers over TCP: each is copied out before the next is written. */
const tcpAnswer = Buffer.allocUnsafeSlow(MAX_TCP_ANSWER);

export const createResolver = (options: ResolverOptions): Resolver => {
  const { names, redirect } = options;
  const port = options.upstreamPort ?? 53;
  const forwarder = createForwarder(options.limits);
  const running = new Map<string, Running>();

  const forward = (
    object: ResolverObject,
    share: Share,
    message: Buffer,
    query: Query,
    over: Over,
    reply: (answer: Buffer) => void,
  ): void => {
    const question = { message, questionEnd: query.questionEnd };
    forwarder.forward(
      share,
      question,
      over,
      () => upstreams(names, object, port),
      (outcome: Outcome) => {
        if (typeof outcome !== 'number') return reply(outcome);
        const out = Buffer.allocUnsafe(query.questionEnd + HEADER_LENGTH);
        reply(out.subarray(0, writeEmpty(message, query, outcome, out)));
      },
    );
  };

  const serveUdp = (object: ResolverObject, share: Share, fd: number): UdpDoor => {
    const door = openUdp(
      fd,
      (message, length, from, out) => {
        const outcome = answer(names, object.sandboxId, message, length, out, false);
        if (typeof outcome === 'number') return outcome;
        const to = Buffer.from(from);
        const question = Buffer.from(message.subarray(0, length));
        forward(object, share, question, outcome, 'udp', (late) => door.send(late, to));
        return 0;
      },
      (error) => options.warn?.(`DNS of sandbox ${object.sandboxId} (UDP)`, error),
    );
    return door;
  };

  const serveTcp = (object: ResolverObject, share: Share, fd: number): TcpDoor =>
    openTcp(
      fd,
      (message, reply) => {
        const outcome = answer(names, object.sandboxId, message, message.length, tcpAnswer, true);
        if (typeof outcome !== 'number') {
          forward(object, share, Buffer.from(message), outcome, 'tcp', reply);
          return;
        }
        reply(outcome === 0 ? undefined : Buffer.from(tcpAnswer.subarray(0, outcome)));
      },
      (error) => options.warn?.(`DNS of sandbox ${object.sandboxId} (TCP)`, error),
    );

  const stop = (one: Running): void => {
    one.udp.close();
    one.tcp.close();
    forwarder.drop(one.share);
  };

  return {
    create(object) {
      if (running.has(object.ns)) return;
      const { udp, tcp } = led(redirect(object.ns), object.ns);
      const share = forwarder.share();
      running.set(object.ns, {
        object,
        ports: { udp: udp.port, tcp: tcp.port },
        share,
        udp: serveUdp(object, share, udp.fd),
        tcp: serveTcp(object, share, tcp.fd),
      });
    },
    delete(object) {
      const one = running.get(object.ns);
      if (one === undefined) return;
      running.delete(object.ns);
      stop(one);
    },
    has: (object) => running.get(object.ns)?.object.sandboxId === object.sandboxId,
    list: () => [...running.values()].map((one) => one.object),
    ports: (ns) => running.get(ns)?.ports,
    get underWay() {
      return forwarder.underWay;
    },
    close() {
      for (const one of running.values()) stop(one);
      running.clear();
    },
  };
};
