/**
 * The back end for namespaces and interfaces, spoken to by rtnetlink. Neighbouring address, route, neighbour and FDB
 * steps of a namespace go in one datagram, neighbouring sysctls in one visit; every other step is a call.
 */
import { EADDRNOTAVAIL, EEXIST, ENODEV, ENOENT, ESRCH, failedWith } from '../../errno.js';
import { internal, KernelError } from '../../errors.js';
import {
  type KernelObject,
  type MovedLink,
  type Netns,
  objectKey,
  type SysctlObject,
} from '../../plan/objects.js';
import type { Plan, Step } from '../../plan/plan.js';
import { tell } from '../announce.js';
import type { Drift } from '../contract.js';
import { Watch } from '../events.js';
import { Expected } from '../expected.js';
import type { LinkMaker, NamedBridge } from '../links/contract.js';
import { hasOwnName } from '../links/index.js';
import type { EventSocket } from '../listen.js';
import { inNamespace } from '../netns.js';
import { observeLinks } from '../observe.js';
import { watchPeers } from '../peers-watch.js';
import type { Reaper } from '../reaper.js';
import type { DumpedLink } from '../rtnetlink/link.js';
import { watchSandboxes } from '../sandbox-events.js';
import { type Session, withSession } from '../session.js';
import { SettingsWatch } from '../settings.js';
import type { BackEnd, Context } from './contract.js';
import { type CallRow, type MessageRow, type NetlinkObject, type OnLink, rowOf } from './rows.js';

export interface NetlinkParts {
  /** absolute path of the directory in which the sandboxes' namespaces are bound */
  readonly namespaces: string;
  /** bridges of ours, and used by us, that are not called `br-` and twelve digits; asked anew each time */
  readonly bridges?: () => readonly NamedBridge[];
  /** links of plugins that are, or were when the daemon was killed, moved into sandboxes; asked anew each time */
  readonly moved?: () => readonly MovedLink[];
  /** names of the host's interfaces that networks lie on, whosever they are; asked anew each time */
  readonly parents?: () => ReadonlySet<string>;
  /** sysctls of the host's without which packets do not pass; asked anew at each look at them, once a second */
  readonly settings?: () => readonly SysctlObject[];
  /** this host's private key for encrypted networks, 32 bytes; absent: it is on none */
  readonly tunnelKey?: () => Buffer;
}

type NetlinkStep = Step<NetlinkObject>;
/** By their row's way, steps of the kinds that are on a link. */
type MessageStep = Step<OnLink>;

/** How the kernel says that what shall be deleted is not there: FDB, routes, links, addresses. */
const GONE: ReadonlySet<number> = new Set([ENOENT, ESRCH, ENODEV, EADDRNOTAVAIL]);

const nsOf = (o: NetlinkObject): Netns => ('ns' in o ? o.ns : '');
const messageRow = (o: OnLink): MessageRow<OnLink> => rowOf(o) as MessageRow<OnLink>;

const describe = (step: NetlinkStep): string => {
  const [kind, ...rest] = objectKey(step.object).split(' ');
  return `${kind} ${step.op} ${rest.join(' ')}`;
};

/** False where the namespace is gone and everything in it was to go. */
const isThere = (session: Session, ns: Netns, steps: readonly NetlinkStep[]): boolean => {
  try {
    session.socket(ns);
    return true;
  } catch (error) {
    if (failedWith(error, ENOENT) && steps.every((s) => s.op === 'delete')) return false;
    throw error;
  }
};

/** A step's message; none for a delete on a link that is gone. */
const messageOf = (
  session: Session,
  step: MessageStep,
): readonly { step: MessageStep; message: Buffer }[] => {
  const { object, op } = step;
  const index = session.index(object.ns, object.link);
  if (index === 0 && op === 'delete') return [];
  if (index === 0) throw new KernelError(ENODEV, describe(step), `no link ${object.link}`);
  return [{ step, message: messageRow(object)[op](object, index) }];
};

const isFine = (session: Session, { op, object }: MessageStep, errno: number): boolean => {
  if (op === 'delete') return GONE.has(errno);
  const row = messageRow(object);
  return row.excused?.(session, object, errno) || (errno === EEXIST && row.present(session, object));
};

const refusalOf = (step: MessageStep, errno: number, acknowledgement: string): Error =>
  (step.op === 'create' ? messageRow(step.object).explain?.(step.object, errno) : undefined) ??
  new KernelError(errno, describe(step), acknowledgement);

/**
 * A container that has been asking for a container of another host since before it was there asks again only each second, so it is
 * told. Nobody can have asked on a bridge that the same plan has made.
 */
const tellNewNeighbours = (steps: readonly MessageStep[], { session, made }: Context): void => {
  for (const { op, object } of steps) {
    if (op === 'delete' || object.kind !== 'neighbour' || object.ns !== 'host') continue;
    const { ns, link, mac, address } = object;
    if (!made.has(`${ns} ${link}`)) tell(session.index(ns, link), { ns, mac, addresses: [address] });
  }
};

const send = (steps: readonly MessageStep[], session: Session, done: (step: MessageStep) => void): void => {
  const ns = steps[0]?.object.ns ?? '';
  if (!isThere(session, ns, steps)) return;
  const sent = steps.flatMap((step) => messageOf(session, step));
  const outcomes = session.socket(ns).attempt(
    sent.map((s) => s.message),
    (i) => (sent[i] ? describe(sent[i].step) : ns),
  );
  let refusal: Error | undefined;
  sent.forEach(({ step }, i) => {
    const { errno, acknowledgement } = outcomes[i] ?? { errno: 0, acknowledgement: '' };
    if (errno === 0) done(step);
    else if (!isFine(session, step, errno)) refusal ??= refusalOf(step, errno, acknowledgement);
  });
  if (refusal) throw refusal;
};

const noKey = (): never => {
  throw internal('this host has no key for encrypted networks');
};

class Netlink implements BackEnd<NetlinkObject> {
  readonly #expected = new Expected();
  #watch: Watch | undefined;
  #sandboxWatch: EventSocket | undefined;
  #settingsWatch: SettingsWatch | undefined;
  #peersWatch: ReturnType<typeof watchPeers> | undefined;
  #onDrift: (drift: readonly Drift[]) => void = () => {};

  constructor(
    private readonly parts: NetlinkParts,
    private readonly reaper: Reaper,
    private readonly ovs: LinkMaker,
  ) {}

  together(before: NetlinkStep, next: NetlinkStep): boolean {
    const { by } = rowOf(next.object);
    return by !== 'call' && rowOf(before.object).by === by && nsOf(before.object) === nsOf(next.object);
  }

  run(steps: readonly NetlinkStep[], context: Context, done: (step: NetlinkStep) => void): void {
    const [first] = steps;
    if (!first) return;
    const { by } = rowOf(first.object);
    const calls = (): void => this.#calls(steps, context, done);
    if (by === 'message') {
      send(steps as readonly MessageStep[], context.session, done);
      tellNewNeighbours(steps as readonly MessageStep[], context);
    }
    // To delete is to leave as it is, or to go back to what is known: no reason to go where there may be nothing more.
    else if (by === 'visit' && steps.some((step) => step.op !== 'delete'))
      inNamespace(nsOf(first.object), calls);
    else calls();
  }

  #calls(steps: readonly NetlinkStep[], shared: Context, done: (step: NetlinkStep) => void): void {
    const { tunnelKey = noKey } = this.parts;
    const context = { ...shared, reaper: this.reaper, ovs: this.ovs, tunnelKey };
    for (const step of steps) {
      const row = rowOf(step.object) as CallRow<NetlinkObject>;
      if (step.op === 'replace') row.replace(step.object, step.before, context);
      else row[step.op](step.object, context);
      done(step);
    }
  }

  observe(said: readonly KernelObject[], settings: boolean): readonly KernelObject[] {
    const { namespaces, moved } = this.parts;
    const links = said.flatMap((o) => (o.kind === 'link' ? [o] : []));
    const claims = [...links, ...(moved?.() ?? [])];
    const onLinks = (all: readonly DumpedLink[]): void => this.#watch?.know(all);
    const seen = observeLinks({ namespaces, bridges: this.#bridges(), claims, settings, onLinks });
    return [...said.filter((o) => o.kind !== 'link'), ...seen];
  }

  present(o: NetlinkObject): boolean {
    const row = rowOf(o) as CallRow<NetlinkObject>;
    return withSession((session) => row.present(session, o));
  }

  follow(plan: Plan): void {
    this.#expected.follow(plan);
    this.#watchMore();
  }

  watch(onDrift: (drift: readonly Drift[]) => void): void {
    this.#onDrift = onDrift;
    this.#watch?.close();
    this.#watch = new Watch({
      expected: this.#expected,
      isOurs: (name) => hasOwnName(name) || this.#bridges().some((b) => b.name === name),
      parents: () => this.parts.parents?.() ?? new Set(),
      onDrift,
    });
    this.#settingsWatch?.close();
    const wanted = this.parts.settings;
    this.#settingsWatch = wanted && new SettingsWatch({ wanted, onDrift });
  }

  /** From the first link on that has no end on the host, neighbour that must stay, or peer: who has none pays nothing. */
  #watchMore(): void {
    if (this.#expected.hasNeighbours) this.#watch?.hearNeighbours();
    if (this.#watch && this.#expected.hasInside)
      this.#sandboxWatch ??= watchSandboxes(() => this.#watch?.suspectInside());
    if (this.#watch && this.#expected.peers.size > 0)
      this.#peersWatch ??= watchPeers(this.#expected.peers, (drift) => this.#onDrift(drift));
  }

  async close(): Promise<void> {
    this.#watch?.close();
    this.#sandboxWatch?.close();
    this.#settingsWatch?.close();
    this.#peersWatch?.close();
    await this.reaper.close();
  }

  #bridges(): readonly NamedBridge[] {
    return this.parts.bridges?.() ?? [];
  }
}

export const netlinkBackEnd = (parts: NetlinkParts, reaper: Reaper, ovs: LinkMaker): BackEnd<NetlinkObject> =>
  new Netlink(parts, reaper, ovs);
