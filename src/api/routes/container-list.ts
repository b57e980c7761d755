/** `GET /containers/json`: which containers, newest first, and how they look in a list. */
import type { Engine } from '../../engine/contract.js';
import { invalid } from '../../errors.js';
import { type Container, type ContainerStatus, isUp } from '../../model/container.js';
import { codeOf } from '../../model/port-text.js';
import type { Exchange } from '../http/exchange.js';
import { sendJsonBytes } from '../http/reply.js';
import { route } from '../http/router.js';
import { type ContainerView, presentSummary } from '../present/container.js';
import { presentPortSummaries } from '../present/ports.js';
import { type Filters, parseFilters } from '../read/filters.js';
import { flag, integer, text } from '../read/query.js';
import type { Answer } from '../schema/answer.js';
import { portsOfFilter } from '../validate/ports.js';
import { summaryJson } from './summaries.js';
import { sizesOf, viewContainer } from './views.js';

const FILTERS = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];

/** Docker's states; `stopped` is none of them. */
const STATUSES: Readonly<Record<ContainerStatus, true>> = {
  created: true,
  running: true,
  paused: true,
  restarting: true,
  removing: true,
  exited: true,
  dead: true,
};
const HEALTH = ['none', 'starting', 'healthy', 'unhealthy'];

const list = async (exchange: Exchange): Promise<void> => {
  const { engine } = exchange;
  const filters = parseFilters(text(exchange, 'filters'), FILTERS);
  checkValues(filters);
  const limit = Math.max(integer(exchange, 'limit') ?? 0, 0);
  const all = flag(exchange, 'all') || limit > 0 || filters.get('status').length > 0;
  const matches = FILTERS.some((key) => filters.has(key)) ? matcher(engine, filters) : undefined;
  const withSizes = flag(exchange, 'size');
  const rows: Buffer[] = [];
  const imageOf = shownImages(engine);
  const [now, edition, { minor }] = [Date.now(), engine.edition(), exchange];
  const linked = linkNamesByTarget(engine);
  for (const container of between(engine, filters)) {
    if (limit > 0 && rows.length === limit) break;
    if (!all && !isUp(container)) continue;
    const linkNames = linked.get(container.id) ?? [];
    if (matches && !matches({ ...viewContainer(engine, container), linkNames })) continue;
    const image = imageOf(container);
    if (!withSizes) {
      rows.push(summaryJson(engine, container, { image, linkNames, now, minor, edition }));
      continue;
    }
    const view = viewContainer(engine, container, await sizesOf(engine, container));
    const summary: Answer<'ContainerSummary'> = presentSummary({ ...view, linkNames }, image, now, minor);
    rows.push(Buffer.from(`,${JSON.stringify(summary)}`));
  }
  sendJsonBytes(exchange, 200, arrayOf(rows));
};

/** Of rows that begin with a comma each: the first one's becomes the bracket. */
const arrayOf = (rows: readonly Buffer[]): Buffer => {
  if (rows.length === 0) return Buffer.from('[]\n');
  const bytes = Buffer.concat([...rows, Buffer.from(']\n')]);
  bytes.write('[');
  return bytes;
};

/** Containers go by the names that others link to them by, too. */
const linkNamesByTarget = (engine: Engine): ReadonlyMap<string, readonly string[]> => {
  const names = new Map<string, string[]>();
  for (const { name, links = [] } of engine.containers.list())
    for (const { target, alias } of links)
      names.set(target, [...(names.get(target) ?? []), `${name}/${alias}`]);
  return names;
};

/** The name the user gave, unless it has come to mean another image. */
const shownImages = ({ images }: Engine): ((container: Container) => string) => {
  const find = images.finder();
  const ids = new Map<string, string | undefined>();
  return ({ imageName, imageId }) => {
    if (!ids.has(imageName)) ids.set(imageName, find(imageName)?.id);
    return ids.get(imageName) === imageId ? imageName : imageId;
  };
};

const checkValues = (filters: Filters): void => {
  for (const value of filters.get('exited')) {
    if (!/^-?\d{1,9}$/.test(value))
      throw invalid(`invalid filter 'exited=${value.slice(0, 40)}': invalid syntax`);
  }
  for (const value of filters.get('status')) {
    if (!Object.hasOwn(STATUSES, value)) {
      throw invalid(
        `invalid filter 'status=${value.slice(0, 40)}': invalid value for state (${value.slice(0, 40)}): must be one of ${Object.keys(STATUSES).join(', ')}`,
      );
    }
  }
  for (const value of filters.get('health')) {
    if (!HEALTH.includes(value)) {
      throw invalid(
        `invalid filter 'health=${value.slice(0, 40)}': invalid value for health (${value.slice(0, 40)}): must be one of ${HEALTH.join(', ')}`,
      );
    }
  }
};

const orders = new WeakMap<Engine, { readonly edition: number; readonly ordered: readonly Container[] }>();

/** Newest first. */
const inOrder = (engine: Engine): readonly Container[] => {
  const [edition, known] = [engine.edition(), orders.get(engine)];
  if (known?.edition === edition) return known.ordered;
  const ordered = [...engine.containers.list()].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  orders.set(engine, { edition, ordered });
  return ordered;
};

/** Newest first; older than `before`, newer than `since`. Both throw not-found for a container that is none. */
const between = (engine: Engine, filters: Filters): readonly Container[] => {
  const ordered = inOrder(engine);
  const position = (reference: string): number => {
    const { id } = engine.containers.get(reference);
    return ordered.findIndex((container) => container.id === id);
  };
  const from = Math.max(-1, ...filters.get('before').map(position));
  const to = Math.min(ordered.length, ...filters.get('since').map(position));
  return ordered.slice(from + 1, to);
};

const matcher = (engine: Engine, filters: Filters): ((view: ContainerView) => boolean) => {
  const ancestors = filters.get('ancestor').map((reference) => engine.images.find(reference)?.id);
  const published = new Set(filters.get('publish').flatMap(expandPorts('publish')));
  const exposed = new Set(filters.get('expose').flatMap(expandPorts('expose')));
  const task = filters.boolean('is-task');
  return (view) => {
    const { container } = view;
    return (
      filters.match('name', ...[container.name, ...(view.linkNames ?? [])].flatMap((n) => [n, `/${n}`])) &&
      filters.match('id', container.id) &&
      filters.labels('label', container.config.Labels) &&
      filters.exact('status', container.state.status) &&
      filters.exact('health', container.state.health?.status ?? 'none') &&
      (task === undefined || task === (container.task !== undefined)) &&
      matchesExit(filters, container) &&
      matchesVolume(filters, container) &&
      matchesNetwork(filters, view) &&
      (ancestors.length === 0 || ancestors.includes(container.imageId)) &&
      matchesPorts(published, exposed, view)
    );
  };
};

const expandPorts =
  (key: string) =>
  (value: string): readonly number[] => {
    if (value.includes(':'))
      throw invalid(`filter for '${key}' should not contain ':': ${value.slice(0, 60)}`);
    return portsOfFilter(value);
  };

const matchesExit = (filters: Filters, { state }: Container): boolean => {
  const codes = filters.get('exited').map(Number);
  return codes.length === 0 || (codes.includes(state.exitCode) && ['exited', 'dead'].includes(state.status));
};

const matchesVolume = (filters: Filters, container: Container): boolean => {
  const wanted = filters.get('volume');
  return (
    wanted.length === 0 ||
    container.mounts.some((mount) =>
      [mount.destination, mount.name === '' ? mount.source : mount.name].some((each) =>
        wanted.includes(each),
      ),
    )
  );
};

const matchesNetwork = (filters: Filters, view: ContainerView): boolean => {
  const wanted = filters.get('network');
  return (
    wanted.length === 0 ||
    view.attachments.some(({ name, networkId }) =>
      wanted.some((value) => value === name || (value !== '' && networkId.startsWith(value))),
    )
  );
};

const matchesPorts = (
  published: ReadonlySet<number>,
  exposed: ReadonlySet<number>,
  view: ContainerView,
): boolean => {
  if (published.size === 0 && exposed.size === 0) return true;
  return presentPortSummaries(view.endpoints).some(
    ({ Type, PublicPort = 0, PrivatePort }) =>
      published.has(codeOf(Type, PublicPort)) || exposed.has(codeOf(Type, PrivatePort)),
  );
};

export const CONTAINER_LIST_ROUTES = [route('GET', '/containers/json', list)];
