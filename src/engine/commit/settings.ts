/**
 * Forwarding and other sysctls of the host without which packets do not pass: which they are, and how they are put
 * back when somebody else writes them. Who writes them again and again is let have them for longer and longer, and
 * told of.
 */

import type { Driver, HostView } from '../../drivers/contract.js';
import { driverOf } from '../../drivers/index.js';
import { ENOENT } from '../../errno.js';
import { KernelError } from '../../errors.js';
import type { Drift, Kernel } from '../../kernel/contract.js';
import type { Logger } from '../../log.js';
import type { Network } from '../../model/network.js';
import type { SysctlObject } from '../../plan/objects.js';
import type { ReadModel } from './model.js';

interface Context {
  readonly host: HostView;
  readonly drivers: ReadonlyMap<string, Driver>;
}

const on = (path: string): SysctlObject => ({ kind: 'sysctl', ns: 'host', path, value: '1' });

const IPV4_FORWARDING = 'net/ipv4/ip_forward';

/** The switches for all interfaces. The kernel has each new interface begin as they are. */
export const forwardingSwitches = (model: ReadModel, { ipForward }: HostView): readonly SysctlObject[] => {
  if (!ipForward) return [];
  const usesIpv6 = model.tables.network.first('ipv6', 'ipv6') !== undefined;
  return [on(IPV4_FORWARDING), ...(usesIpv6 ? [on('net/ipv6/conf/all/forwarding')] : [])];
};

/**
 * Of one network: IPv4 is forwarded by the switch of the interface it comes in by (IPv6 by the one for all), and
 * published ports need `route_localnet`.
 */
const settingsOf = (network: Network, { host, drivers }: Context): readonly SysctlObject[] => {
  if (network.configOnly || !drivers.has(network.driver)) return [];
  const driver = driverOf(network, drivers);
  const link = driver.hostInterface?.({ host, network });
  if (link === undefined) return [];
  // On a bridge that was there before it is its administrator's.
  const forwards = host.ipForward && network.ipv4 && !network.internal && !network.adopted;
  return [
    ...(forwards ? [on(`net/ipv4/conf/${link}/forwarding`)] : []),
    ...driver
      .network({ host, network })
      .filter((o): o is SysctlObject => o.kind === 'sysctl' && o.path.endsWith('/route_localnet')),
  ];
};

/**
 * Asked once a second: records never change, so what was derived from one stays so. The same list is answered for as long as no
 * network changes.
 */
export const hostSettings = (model: ReadModel, context: Context): (() => readonly SysctlObject[]) => {
  const known = new WeakMap<Network, readonly SysctlObject[]>();
  const of = (network: Network): readonly SysctlObject[] => {
    const settings = known.get(network) ?? settingsOf(network, context);
    known.set(network, settings);
    return settings;
  };
  let made: { readonly edition: number; readonly settings: readonly SysctlObject[] } | undefined;
  return () => {
    const { edition } = model.tables.network;
    if (made?.edition !== edition) {
      const each = [...model.networks.values()].flatMap(of);
      made = { edition, settings: [...forwardingSwitches(model, context.host), ...each] };
    }
    return made.settings;
  };
};

/** Repairs of one sysctl that followed closely on each other. */
export interface Row {
  readonly times: number;
  /** milliseconds */
  readonly last: number;
}

/** So many times in a row it is put back at once. */
const AT_ONCE = 5;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 300_000;
/** After so long without one a row has ended. */
const ROW_ENDS_MS = 60_000;

/** Milliseconds. */
const pauseAfter = ({ times }: Row): number =>
  times < AT_ONCE ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (times - AT_ONCE), LONGEST_PAUSE_MS);

/** The row that a repair at `now` (milliseconds) belongs to. */
const goingOn = (row: Row | undefined, now: number): Row | undefined =>
  row && now - row.last < ROW_ENDS_MS + pauseAfter(row) ? row : undefined;

/** Milliseconds from `now` on. */
export const pauseBefore = (row: Row | undefined, now: number): number => {
  const current = goingOn(row, now);
  return current ? pauseAfter(current) : 0;
};

export const nextRow = (row: Row | undefined, now: number): Row => ({
  times: (goingOn(row, now)?.times ?? 0) + 1,
  last: now,
});

const FORWARDING = /^net\/ipv4\/conf\/.*\/forwarding$/;
type SysctlDrift = Extract<Drift, { kind: 'sysctl' }>;

const dotted = ({ path }: SysctlObject): string => path.replaceAll('/', '.');

export class SettingsRepair {
  readonly #rows = new Map<string, Row>();
  readonly #pausing = new Set<string>();

  constructor(private readonly parts: { readonly kernel: Kernel; readonly log: Logger }) {}

  repair(drift: readonly SysctlDrift[]): void {
    for (const each of drift) if (!this.#waits(each.object)) this.#one(each);
  }

  /** The switch for all writes those of all interfaces: they wait with it. */
  #waits({ path }: SysctlObject): boolean {
    return this.#pausing.has(path) || (FORWARDING.test(path) && this.#pausing.has(IPV4_FORWARDING));
  }

  #one({ object, found }: SysctlDrift): void {
    if (FORWARDING.test(object.path) && this.parts.kernel.present(object)) return; // the switch has put it back
    const pause = pauseBefore(this.#rows.get(object.path), performance.now());
    if (pause === 0) this.#putBack(object, found);
    else this.#later(object, found, pause);
  }

  #later(object: SysctlObject, found: string, pause: number): void {
    this.#pausing.add(object.path);
    this.parts.log.warn(
      { sysctl: dotted(object), found, needed: object.value, seconds: pause / 1_000 },
      'somebody else sets this sysctl again and again: it is left for a while, and packets of containers may not pass',
    );
    setTimeout(() => {
      this.#pausing.delete(object.path);
      if (!this.parts.kernel.present(object)) this.#putBack(object, found);
    }, pause).unref();
  }

  #putBack(object: SysctlObject, found: string): void {
    this.#rows.set(object.path, nextRow(this.#rows.get(object.path), performance.now()));
    try {
      this.parts.kernel.apply([{ op: 'create', object }]);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      if (error.errno === ENOENT) return; // its interface went
      this.parts.log.warn({ sysctl: dotted(object), error: error.message }, 'repair failed');
      return;
    }
    this.parts.log.warn(
      { sysctl: dotted(object), found, set: object.value },
      'repaired what was changed from outside',
    );
  }
}
