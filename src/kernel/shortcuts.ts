/**
 * The ports that have a shortcut past their bridge (ADR 39): each has a filter on what it receives, an entry in `owns` that says what is its
 * own, and one in `peers` by which others reach it. Invariant: frames go from a port only to ports of its own bridge, and entries go before
 * all else.
 */
import { EEXIST, EINVAL, ENODEV, ENOENT } from '../errno.js';
import { invalid, KernelError, type ViaductError } from '../errors.js';
import type { ShortcutObject } from '../plan/objects.js';
import { dropElement, findElement, putElement } from './bpf/calls.js';
import { index32, type Loaded, PLACE } from './bpf/loaded.js';
import { OWN_SIZE, type Own, ownEntry, peerKey } from './bpf/programs.js';
import { hostSocket, NETLINK } from './netlink.js';
import { addressOf, macOf } from './rtnetlink/inet.js';
import {
  createClsact,
  dropFilter,
  dumpEgress,
  getFilter,
  getRootQdisc,
  kindIn,
  putFilter,
} from './rtnetlink/tc.js';
import type { Look } from './session.js';

interface Port {
  readonly object: ShortcutObject;
  readonly index: number;
  readonly own: Own;
  /** why it has no entries now: what somebody hung on it, that frames past it would not meet; empty: nothing */
  hung: string;
}

/** The kernel has nothing of what it needs, or somebody forbids it to the daemon. */
export const noFastpath = (why: string): ViaductError =>
  invalid(
    `viaduct.fastpath: the kernel refuses what it needs (${why}): make the network without the option, or run the daemon as root on Linux 5.10 or later with CONFIG_BPF_SYSCALL, CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS`,
  );

const refused = (operation: string, errno: number, acknowledgement: string): never => {
  throw new KernelError(errno, operation, acknowledgement);
};

/** Where a former daemon's filter is it is replaced. */
const putOn = (link: string, index: number, stub: number): void => {
  const operation = `shortcut create ${link}`;
  const [qdisc, filter] = hostSocket(NETLINK.ROUTE).attempt(
    [createClsact(index), putFilter(index, stub)],
    operation,
  );
  for (const each of [qdisc, filter])
    if (each?.errno && each.errno !== EEXIST)
      throw each.errno === ENODEV
        ? new KernelError(ENODEV, operation, each.acknowledgement)
        : noFastpath(`errno ${each.errno} ${each.acknowledgement}`.trim());
};

/** As the kernel says that there is no such filter, qdisc or interface. */
const GONE: ReadonlySet<number> = new Set([ENOENT, EINVAL, ENODEV]);

const takeOff = (link: string, index: number): void => {
  const operation = `shortcut delete ${link}`;
  const [filter] = hostSocket(NETLINK.ROUTE).attempt([dropFilter(index)], operation);
  if (filter?.errno && !GONE.has(filter.errno)) refused(operation, filter.errno, filter.acknowledgement);
};

/** On which of these ports a filter of ours is: all are asked about in one datagram. */
const filtered = (indexes: readonly number[]): ReadonlySet<number> => {
  if (indexes.length === 0) return new Set();
  const found = hostSocket(NETLINK.ROUTE).attempt(indexes.map(getFilter), 'filter get');
  return new Set(indexes.filter((_, at) => found[at]?.errno === 0));
};

/** What the kernel gives interfaces that have nothing to queue. */
const NO_QUEUE = 'noqueue';

/** What others hung on what the port sends: a queueing discipline (a limit of bandwidth), or filters. Empty: nothing. */
const hungOn = (index: number): string => {
  const socket = hostSocket(NETLINK.ROUTE);
  const qdiscs: Buffer[] = [];
  socket.attempt([getRootQdisc(index)], 'qdisc get', qdiscs);
  const [kind] = qdiscs.map(kindIn);
  if (kind && kind !== NO_QUEUE) return `the queueing discipline ${kind}`;
  return socket.dump(dumpEgress(index), 'filter dump').length > 0 ? 'filters on what it sends' : '';
};

const ownOf = ({ mac, ipv4, ipv6 }: ShortcutObject, net: number): Own => ({
  net,
  mac: macOf(mac),
  ...(ipv4 === undefined ? {} : { ipv4: addressOf(ipv4) }),
  ...(ipv6 === undefined ? {} : { ipv6: addressOf(ipv6) }),
});

export class Shortcuts {
  /** by the names of their links */
  readonly #ports = new Map<string, Port>();
  /** indexes of the ports that have a MAC on a bridge, by the key of `peers` */
  readonly #holders = new Map<string, Set<number>>();

  constructor(private readonly loaded: Loaded) {}

  /** Throws KernelError: ENODEV where link or bridge is not there. */
  put(look: Look, object: ShortcutObject): void {
    const { link, bridge, always } = object;
    this.drop(object);
    const [index, net] = [look.index('host', link), look.index('host', bridge)];
    if (index === 0 || net === 0) refused(`shortcut create ${link}`, ENODEV, `no link ${link} or ${bridge}`);
    putOn(link, index, this.loaded.stubs[always ? PLACE.always : PLACE.aside]);
    const port: Port = { object, index, own: ownOf(object, net), hung: hungOn(index) };
    this.#ports.set(link, port);
    try {
      if (port.hung === '') this.#show(port);
    } catch (error) {
      this.drop(object);
      throw error;
    }
  }

  /** Entries go first: behind them the filter falls through, whatever becomes of it. */
  drop({ link }: Pick<ShortcutObject, 'link'>): void {
    const port = this.#ports.get(link);
    if (!port) return;
    this.#hide(port);
    this.#ports.delete(link);
    takeOff(link, port.index);
  }

  /** Those that are as they were put, on links and bridges that are still the same. */
  there(look: Look): readonly ShortcutObject[] {
    return this.#thereOf(look, [...this.#ports.values()]);
  }

  find(look: Look, link: string): ShortcutObject | undefined {
    const port = this.#ports.get(link);
    return port && this.#thereOf(look, [port])[0];
  }

  /** The link of a port, by its index; undefined: none of these. */
  linkAt(index: number): string | undefined {
    for (const [link, port] of this.#ports) if (port.index === index) return link;
    return undefined;
  }

  /** Looks what hangs on a port now. True where that has changed: its entries are gone, or there again. */
  review(link: string): boolean {
    const port = this.#ports.get(link);
    if (!port) return false;
    const hung = hungOn(port.index);
    if (hung === port.hung) return false;
    if (hung === '') this.#show(port);
    else this.#hide(port);
    port.hung = hung;
    return true;
  }

  /** Ports without entries, each with what hangs on it. */
  hung(): readonly { readonly link: string; readonly by: string }[] {
    return [...this.#ports.values()].flatMap(({ object: { link }, hung }) =>
      hung === '' ? [] : [{ link, by: hung }],
    );
  }

  get links(): readonly string[] {
    return [...this.#ports.keys()];
  }

  #thereOf(look: Look, ports: readonly Port[]): readonly ShortcutObject[] {
    const standing = ports.filter(
      ({ object: { link, bridge }, index, own }) =>
        look.index('host', link) === index && look.index('host', bridge) === own.net,
    );
    const on = filtered(standing.map(({ index }) => index));
    return standing.flatMap((port) => (on.has(port.index) && this.#hasEntry(port) ? [port.object] : []));
  }

  #hasEntry({ index, own, hung }: Port): boolean {
    const entry = findElement(this.loaded.owns, index32(index), OWN_SIZE);
    return hung === '' ? entry?.equals(ownEntry(own)) === true : entry === undefined;
  }

  #show({ index, own }: Port): void {
    putElement(this.loaded.owns, index32(index), ownEntry(own));
    this.#hold(own, (holders) => holders.add(index));
  }

  #hide({ index, own }: Port): void {
    this.#hold(own, (holders) => holders.delete(index));
    dropElement(this.loaded.owns, index32(index));
  }

  /** Of two ports with one MAC on one bridge, that has to decide. */
  #hold(own: Own, change: (holders: Set<number>) => void): void {
    const key = peerKey(own);
    const holders = this.#holders.get(key.toString('hex')) ?? new Set();
    change(holders);
    const [only] = holders;
    if (only !== undefined && holders.size === 1) putElement(this.loaded.peers, key, index32(only));
    else dropElement(this.loaded.peers, key);
    if (holders.size === 0) this.#holders.delete(key.toString('hex'));
    else this.#holders.set(key.toString('hex'), holders);
  }
}
