/** What every figure is given, and how it takes turns: A B A B, so that whatever else the machine does hits both. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine, EngineName, EngineOptions } from './engine.js';
import type { Row } from './row.js';

export interface Bench {
  /** none, where only figures of several hosts are measured */
  readonly engines: readonly Engine[];
  /** what is measured */
  readonly names: readonly EngineName[];
  /** One more, with the test images. */
  start(name: EngineName, on?: EngineOptions['on']): Promise<Engine>;
  readonly quick: boolean;
  /** on a processor that is software: everything takes some twenty times longer */
  readonly emulated: boolean;
  /** of the figure `drivers`, these only; empty: all */
  readonly drivers: readonly string[];
  /** path of the `docker` client */
  readonly client: string;
  /** `full` rounds, or `quick` ones with --quick */
  rounds(full: number, quick: number): number;
  say(text: string): void;
  /** for the report: not measured, because this machine has not what it takes */
  absent(why: string): void;
}

export interface Figure {
  /** as `--only` takes it */
  readonly name: string;
  readonly about: string;
  /** it starts hosts of its own, as it needs several on one wire */
  readonly hosts?: 'own';
  readonly measure: (bench: Bench) => Promise<readonly Row[]>;
}

/** What a daemon puts off (the kernel needs 15–50 ms to take a link away, under one lock for all) is over by then. */
const SETTLE_MS = 80;

/** `rounds` turns each; the first `warmUp` turns say `measured: false`. */
export const inTurn = async (
  engines: readonly Engine[],
  rounds: number,
  turn: (engine: Engine, measured: boolean) => Promise<void>,
  warmUp = 4,
): Promise<void> => {
  for (let round = -warmUp; round < rounds; round += 1)
    for (const engine of engines) {
      await sleep(SETTLE_MS);
      await turn(engine, round >= 0);
    }
};

/** Values by name of series and engine, as the rounds bring them. */
export class Samples<Name extends string> {
  readonly #values = new Map<string, number[]>();

  add(name: Name, engine: EngineName, value: number): void {
    const key = `${name} ${engine}`;
    this.#values.set(key, [...(this.#values.get(key) ?? []), value]);
  }
  get(name: Name): Row['samples'] {
    const of = (engine: EngineName) => this.#values.get(`${name} ${engine}`) ?? [];
    return { viaduct: of('viaduct'), dockerd: of('dockerd') };
  }
}

export const idOf = (json: unknown): string => {
  if (json && typeof json === 'object' && 'Id' in json) return String(json.Id);
  throw new Error(`no Id in ${JSON.stringify(json)}`);
};

export type Ports = Readonly<Record<string, readonly { HostIp?: string; HostPort: string }[]>>;

/** Container port = host port, `count` of them from `first`. */
export const portRange = (first: number, count: number): Ports =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`${first + i}/tcp`, [{ HostPort: `${first + i}` }]]),
  );

/**
 * The same ports led to others in an order without runs: no rule can stand for two of them. IPv4 only, as from the
 * beginning.
 */
export const scatteredPorts = (first: number, count: number): Ports =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `${first + i}/tcp`,
      [{ HostIp: '0.0.0.0', HostPort: `${first + ((i * 7919) % count)}` }],
    ]),
  );

/** The body of a create request, made before the clock runs. */
export const containerBody = (network: string, ports: Ports = {}, ipv4?: string): string =>
  JSON.stringify({
    Image: 'alpine',
    Cmd: ['sleep', '1000000'],
    ExposedPorts: Object.fromEntries(Object.keys(ports).map((port) => [port, {}])),
    HostConfig: { NetworkMode: network, PortBindings: ports },
    ...(ipv4 === undefined
      ? {}
      : { NetworkingConfig: { EndpointsConfig: { [network]: { IPAMConfig: { IPv4Address: ipv4 } } } } }),
  });

export interface Started {
  readonly id: string;
  readonly createMs: number;
  readonly startMs: number;
}

export const startContainer = async (engine: Engine, body: string, name?: string): Promise<Started> => {
  const made = await engine.api('POST', `/containers/create${name ? `?name=${name}` : ''}`, body);
  const id = idOf(made.json);
  const { ms } = await engine.api('POST', `/containers/${id}/start`);
  return { id, createMs: made.ms, startMs: ms };
};

/** `rm -f`; milliseconds. */
export const removeContainer = async (engine: Engine, id: string): Promise<number> =>
  (await engine.api('DELETE', `/containers/${id}?force=1&v=1`)).ms;

/** Process id of the container's first process, on this machine. */
export const containerPid = async (engine: Engine, id: string): Promise<number> => {
  const { json } = await engine.api('GET', `/containers/${id}/json`);
  const state: unknown = json && typeof json === 'object' && 'State' in json ? json.State : undefined;
  const pid = state && typeof state === 'object' && 'Pid' in state ? Number(state.Pid) : 0;
  if (!(pid > 0)) throw new Error(`container ${id} does not run on ${engine.name}`);
  return pid;
};
