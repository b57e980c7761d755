/** Images: list, inspect, history, pull, import, load, save, tag, push, remove, prune. */

import type { Engine } from '../../engine/contract.js';
import { invalid, notImplemented } from '../../errors.js';
import type { RegistryAuth } from '../../images/contract.js';
import { familiarName, joinReference, parseReference } from '../../images/reference.js';
import { isUp } from '../../model/container.js';
import type { Image } from '../../model/image.js';
import { type Exchange, nameIn } from '../http/exchange.js';
import { answers, sendEmpty, sendProgress } from '../http/reply.js';
import { route } from '../http/router.js';
import { sendTar } from '../http/tar.js';
import { presentHistory, presentImageInspect, presentImageSummary, presentRemote } from '../present/image.js';
import { nullWhereEmpty } from '../present/null.js';
import { authSchema } from '../read/auth.js';
import { type Filters, parseFilters } from '../read/filters.js';
import { IMAGE_FILTERS, imageSelector } from '../read/image-filters.js';
import { flag, headerJson, text } from '../read/query.js';
import type { Answer } from '../schema/answer.js';

const usersOf =
  (engine: Engine) =>
  (imageId: string): readonly string[] =>
    engine.containers
      .list()
      .filter((container) => container.imageId === imageId)
      .map((container) => container.id);

const selector = ({ engine }: Exchange, filters: Filters): ((image: Image) => boolean) =>
  imageSelector(filters, (reference) => engine.images.get(reference), Date.now());

const list = (exchange: Exchange): readonly Answer<'ImageSummary'>[] => {
  const { engine, minor } = exchange;
  const filters = parseFilters(text(exchange, 'filters'), IMAGE_FILTERS);
  const usedBy = usersOf(engine);
  const images = engine.images.list().filter(selector(exchange, filters));
  images.sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  return images.map((image) => presentImageSummary(image, usedBy(image.id).length, minor));
};

/** Unreadable credentials count as none, as in Docker: most pulls need none. */
const readAuth = (exchange: Exchange): RegistryAuth | undefined => {
  const read = authSchema.safeParse(headerJson(exchange, 'x-registry-auth'));
  return read.success ? read.data : undefined;
};

const create = async (exchange: Exchange): Promise<void> => {
  const image = text(exchange, 'fromImage').replace(/:$/, '');
  if (image === '') return importImage(exchange);
  const reference = joinReference(image, text(exchange, 'tag'));
  if (familiarName(parseReference(reference).name) === 'scratch')
    throw invalid("'scratch' is a reserved name");
  await sendProgress(exchange, (progress) =>
    exchange.engine.images.pull(reference, readAuth(exchange), progress, exchange.gone),
  );
};

const importImage = async (exchange: Exchange): Promise<void> => {
  const source = text(exchange, 'fromSrc');
  if (source !== '-') {
    throw notImplemented(
      'importing from a URL is not supported: fetch the file and import it from standard input',
    );
  }
  const reference = joinReference(text(exchange, 'repo'), text(exchange, 'tag'));
  const message = text(exchange, 'message') || `Imported from ${source}`;
  const changes = exchange.query.getAll('changes');
  await sendProgress(exchange, async (progress) => {
    const id = await exchange.engine.images.import(
      exchange.request,
      reference,
      changes,
      message,
      exchange.gone,
    );
    progress({ status: id });
  });
};

const push = async (exchange: Exchange): Promise<void> => {
  const reference = joinReference(nameIn(exchange), text(exchange, 'tag'));
  await sendProgress(exchange, (progress) =>
    exchange.engine.images.push(reference, readAuth(exchange), progress, exchange.gone),
  );
};

const save = async (exchange: Exchange, names: readonly string[]): Promise<void> => {
  if (names.length === 0) throw invalid('no image names given');
  // A name that is none is an ordinary error only before the stream begins.
  for (const each of names) exchange.engine.images.get(each);
  await sendTar(exchange, exchange.engine.images.save(names));
};

const tag = async (exchange: Exchange): Promise<void> => {
  const target = joinReference(text(exchange, 'repo'), text(exchange, 'tag'));
  if (target === '') throw invalid('invalid reference format: a repository is needed');
  const { name: repository, digest } = parseReference(target);
  if (digest !== '') throw invalid('refusing to create a tag with a digest reference');
  if (familiarName(repository) === 'sha256') {
    throw invalid('refusing to create an ambiguous tag using digest algorithm as name');
  }
  await exchange.engine.images.tag(exchange.engine.images.get(nameIn(exchange)).id, target);
  sendEmpty(exchange, 201);
};

const remove = async (exchange: Exchange): Promise<readonly Answer<'ImageDeleteResponseItem'>[]> => {
  if (nameIn(exchange).trim() === '') throw invalid('image name cannot be blank');
  const removed = await exchange.engine.images.remove(
    nameIn(exchange),
    { force: flag(exchange, 'force'), noPrune: flag(exchange, 'noprune') },
    usersOf(exchange.engine),
    runs(exchange.engine),
  );
  return removed;
};

const runs =
  (engine: Engine) =>
  (id: string): boolean => {
    const container = engine.containers.find(id);
    return container !== undefined && isUp(container);
  };

const prune = async (exchange: Exchange): Promise<Answer<'ImagePruneResponse'>> => {
  const { engine } = exchange;
  const filters = parseFilters(text(exchange, 'filters'), ['dangling', 'label', 'label!', 'until']);
  const all = filters.boolean('dangling') === false;
  const used = new Set(engine.containers.list().map((container) => container.imageId));
  const plain = !filters.has('label') && !filters.has('label!') && !filters.has('until');
  const { deleted, bytes } = plain
    ? await engine.images.prune(all, used)
    : await pruneSelected(exchange, filters, all, used);
  return {
    ImagesDeleted: nullWhereEmpty(deleted),
    SpaceReclaimed: bytes,
  };
};

/** With filters by label or age: the selected ones, one after the other. */
const pruneSelected = async (
  exchange: Exchange,
  filters: Filters,
  all: boolean,
  used: ReadonlySet<string>,
): Promise<{ deleted: readonly { Untagged?: string; Deleted?: string }[]; bytes: number }> => {
  const { images } = exchange.engine;
  const deleted: { Untagged?: string; Deleted?: string }[] = [];
  let bytes = 0;
  // `dangling=false` means "also those with names" here, not "only those".
  const selected = selector(exchange, without(filters, 'dangling'));
  for (const image of images.list()) {
    if (used.has(image.id) || (!all && image.tags.length > 0) || !selected(image)) continue;
    deleted.push(
      ...(await images.remove(
        image.id,
        { force: true, noPrune: false },
        usersOf(exchange.engine),
        runs(exchange.engine),
      )),
    );
    bytes += image.size;
  }
  return { deleted, bytes };
};

const without = (filters: Filters, key: string): Filters => ({
  ...filters,
  has: (each) => each !== key && filters.has(each),
  get: (each) => (each === key ? [] : filters.get(each)),
  boolean: (each) => (each === key ? undefined : filters.boolean(each)),
});

/** `service create` asks it, to have the same image on all nodes. */
const distribution = async (exchange: Exchange) => {
  const { images } = exchange.engine;
  return presentRemote(await images.remote(nameIn(exchange), readAuth(exchange), exchange.gone));
};

export const IMAGE_ROUTES = [
  answers('GET', '/distribution/:name/json', distribution),
  answers('GET', '/images/json', list),
  route('GET', '/images/search', () => {
    throw notImplemented('searching registries is not supported: use the web page of the registry');
  }),
  route('GET', '/images/get', (exchange) => save(exchange, exchange.query.getAll('names'))),
  route('GET', '/images/:name/get', (exchange) => save(exchange, [nameIn(exchange)])),
  answers<readonly Answer<'ImageHistoryResponseItem'>[]>('GET', '/images/:name/history', (exchange) =>
    presentHistory(exchange.engine.images.get(nameIn(exchange))),
  ),
  answers<Answer<'ImageInspect'>>('GET', '/images/:name/json', (exchange) =>
    presentImageInspect(exchange.engine.images.get(nameIn(exchange)), exchange.minor),
  ),
  route('POST', '/images/load', (exchange) =>
    sendProgress(exchange, (progress) =>
      exchange.engine.images.load(exchange.request, progress, exchange.gone),
    ),
  ),
  route('POST', '/images/create', create),
  answers('POST', '/images/prune', prune),
  route('POST', '/images/:name/push', push),
  route('POST', '/images/:name/tag', tag),
  answers('DELETE', '/images/:name', remove),
];
