/** `GET /events`: what happened since, and what happens from now on. */
import { invalid } from '../../errors.js';
import type { EngineEvent } from '../../model/events.js';
import type { Exchange } from '../http/exchange.js';
import { openStream } from '../http/reply.js';
import { route } from '../http/router.js';
import { presentEvent } from '../present/event.js';
import { type Filters, parseFilters } from '../read/filters.js';
import { text } from '../read/query.js';
import { unixNanoseconds } from '../read/time.js';

const FILTERS = [
  'config',
  'container',
  'daemon',
  'event',
  'image',
  'label',
  'network',
  'node',
  'plugin',
  'scope',
  'secret',
  'service',
  'type',
  'volume',
];

/** Kinds of actors that a filter of the same name selects by id or name. */
const ACTORS = ['daemon', 'container', 'plugin', 'volume', 'network', 'service', 'node', 'secret', 'config'];

/** setTimeout cannot wait longer: 2^31 - 1 ms */
const LONGEST_TIMER = 0x7fffffff;
/** bytes a client may lag behind before it is dropped: events must not fill our memory */
const MOST_LAG = 8 * 1024 * 1024;

const events = (exchange: Exchange): void => {
  const since = unixNanoseconds(text(exchange, 'since'), 'since');
  const until = unixNanoseconds(text(exchange, 'until'), 'until');
  if (until !== 0n && until < since) {
    throw invalid(
      `\`since\` time (${text(exchange, 'since')}) cannot be after \`until\` time (${text(exchange, 'until')})`,
    );
  }
  const filters = parseFilters(text(exchange, 'filters'), FILTERS);
  openStream(exchange, exchange.minor < 52 ? 'application/json' : 'application/jsonl');
  const send = (event: EngineEvent): void => {
    if (until !== 0n && event.timeNano > until) return;
    if (exchange.minor < 46 && event.type === 'image' && event.action === 'create') return;
    if (!includes(filters, event)) return;
    exchange.response.write(presentEvent(event));
    if (exchange.response.writableLength > MOST_LAG) exchange.response.destroy();
  };
  const remaining = until === 0n ? undefined : Number(until / 1_000_000n) - Date.now();
  const wantsPast = since !== 0n || until !== 0n;
  // A new listener is told the kept events before the call returns; after it, events are live.
  let live = false;
  const unsubscribe = exchange.engine.events.subscribe((event) => {
    if (live || (wantsPast && event.timeNano >= since)) send(event);
  });
  live = true;
  const end = (): void => {
    unsubscribe();
    clearTimeout(timer);
    exchange.response.end();
  };
  const timer =
    remaining === undefined ? undefined : setTimeout(end, Math.min(Math.max(remaining, 0), LONGEST_TIMER));
  exchange.gone.addEventListener('abort', end, { once: true });
};

const includes = (filters: Filters, event: EngineEvent): boolean => {
  const { id, attributes } = event.actor;
  return (
    matchesAction(filters, event.action) &&
    filters.exact('type', event.type) &&
    filters.exact('scope', event.scope ?? 'local') &&
    ACTORS.every((kind) => filters.prefix(kind, id) || filters.prefix(kind, attributes.name ?? '')) &&
    matchesImage(filters, event) &&
    filters.labels('label', attributes)
  );
};

/** `exec_create`, `exec_start` and `health_status` are followed by a colon and more. */
const matchesAction = (filters: Filters, action: string): boolean => {
  const open = filters
    .get('event')
    .some((each) => ['health_status', 'exec_create', 'exec_start'].includes(each));
  return open ? filters.prefix('event', action) : filters.exact('event', action);
};

const matchesImage = (filters: Filters, { type, actor }: EngineEvent): boolean => {
  const name = actor.attributes[type === 'image' ? 'name' : 'image'] ?? '';
  return [actor.id, name, withoutTag(actor.id), withoutTag(name)].some((each) =>
    filters.exact('image', each),
  );
};

const withoutTag = (image: string): string =>
  image.startsWith('sha256:') ? image : image.replace(/(?:@[^@]{1,200}|:[\w.-]{1,128})$/, '');

export const EVENT_ROUTES = [route('GET', '/events', events)];
