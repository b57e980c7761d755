/** What the commands print, as pure text from checked answers. */
import type { Dirty, Objects } from '../door/schema.js';
import type { Containers, Dropped, Port, Summary, Version } from './answers.js';

/** Columns as wide as their widest cell, two blanks apart; the last one is not padded. */
export const table = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};

const nameOf = (names: readonly string[]): string => (names[0] ?? '').replace(/^\//, '');

const ownVersion = ({ Components }: Version): string =>
  Components.find(({ Name }) => Name === 'Viaduct')?.Version ?? 'of an unknown version';

/** How much was dropped of what one container sent on one network, and why. */
const droppedText = ({ Container, Network, Reason, Packets }: Dropped[number]): string =>
  `${Packets} packet${Packets === 1 ? '' : 's'} of ${Container} on ${Network}: ${Reason}`;

/** The guide says what to do about it. */
export const statusText = (
  dockerHost: string,
  version: Version,
  summary: Summary,
  dropped: Dropped = [],
  dirty: Dirty = [],
): string =>
  table([
    ['daemon', `Viaduct ${ownVersion(version)} on ${dockerHost}`],
    ['API', `${version.MinAPIVersion} to ${version.ApiVersion}`],
    ['kernel', summary.KernelVersion],
    ['data', summary.DockerRootDir],
    ['containers', `${summary.ContainersRunning} running of ${summary.Containers}`],
    ['images', String(summary.Images)],
    ...(summary.Warnings ?? []).map((warning) => ['warning', warning]),
    ...dirty.map((each) => ['dirty', `${each.owner.name}, since ${each.since}: ${each.error}`]),
    ...[...dropped].sort((a, b) => b.Packets - a.Packets).map((each) => ['dropped', droppedText(each)]),
  ]);

/** Consecutive ports of one container that lead to consecutive ports, as one row. */
interface Run {
  readonly container: string;
  readonly address: string;
  readonly protocol: string;
  readonly host: number;
  readonly inside: number;
  readonly count: number;
}

const published = ({ Names, Ports }: Containers[number]): Run[] =>
  (Ports ?? []).flatMap(({ IP = '', PrivatePort, PublicPort, Type }: Port) =>
    PublicPort === undefined
      ? []
      : [
          {
            container: nameOf(Names),
            address: IP,
            protocol: Type,
            host: PublicPort,
            inside: PrivatePort,
            count: 1,
          },
        ],
  );

/** By code units: the same everywhere, whatever the locale. */
const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const byPlace = (a: Run, b: Run): number =>
  order(a.protocol, b.protocol) || order(a.address, b.address) || a.host - b.host;

const follows = (before: Run, next: Run): boolean =>
  before.container === next.container &&
  before.address === next.address &&
  before.protocol === next.protocol &&
  before.host + before.count === next.host &&
  before.inside + before.count === next.inside;

const joined = (runs: readonly Run[]): readonly Run[] => {
  const out: Run[] = [];
  for (const run of [...runs].sort(byPlace)) {
    const last = out.at(-1);
    if (last && follows(last, run)) out[out.length - 1] = { ...last, count: last.count + 1 };
    else out.push(run);
  }
  return out;
};

const range = (first: number, count: number): string =>
  count === 1 ? `${first}` : `${first}-${first + count - 1}`;
const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);

/** Every published port of the host, which `docker port` tells only container by container. */
export const portsText = (containers: Containers): string =>
  table([
    ['HOST', 'PROTOCOL', 'CONTAINER', 'PORT'],
    ...joined(containers.flatMap(published)).map(({ container, address, protocol, host, inside, count }) => [
      `${bracketed(address)}:${range(host, count)}`,
      protocol,
      container,
      range(inside, count),
    ]),
  ]);

/** Who has which address on which network, which Docker tells only network by network. */
export const addressesText = (containers: Containers): string =>
  table([
    ['NETWORK', 'CONTAINER', 'IPV4', 'IPV6', 'MAC'],
    ...containers
      .flatMap(({ Names, NetworkSettings }) =>
        Object.entries(NetworkSettings.Networks).map(
          ([network, { IPAddress, GlobalIPv6Address, MacAddress }]) => [
            network,
            nameOf(Names),
            IPAddress || '-',
            GlobalIPv6Address || '-',
            MacAddress || '-',
          ],
        ),
      )
      .sort((a, b) => order(a.join(' '), b.join(' '))),
  ]);

const MARK: Readonly<Record<Objects[number]['state'], string>> = {
  there: '  ',
  missing: '! ',
  unknown: '? ',
};

/** One block for each of those it is there for, one line an object. What is not there is marked, and told of at the end. */
export const objectsText = (objects: Objects): string => {
  const blocks = new Map<string, string[]>();
  for (const { owner, text, state } of objects)
    blocks.set(owner.name, [...(blocks.get(owner.name) ?? []), `${MARK[state]}${text}`]);
  const missing = objects.filter(({ state }) => state === 'missing').length;
  const unknown = objects.filter(({ state }) => state === 'unknown').length;
  return [
    ...[...blocks].flatMap(([name, lines]) => [`${name}:`, ...lines]),
    ...(objects.length === 0 ? ['nothing: it does not run, or needs nothing in the kernel'] : []),
    ...(missing > 0 ? [`! ${missing} not as it must be: \`viaduct status\` and the log say why`] : []),
    ...(unknown > 0 ? [`? ${unknown} not known: what keeps it does not answer`] : []),
  ].join('\n');
};
