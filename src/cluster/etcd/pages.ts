/** All that is below a prefix, page by page, as it was at one revision. */
import type { Etcd, Page } from './contract.js';
import { isEtcd } from './failure.js';

/** 500 entries of 1 kB take 60 ms and half a mebibyte. */
const ENTRIES = 500;

/**
 * Each page's `revision` is the one at which all of them were read: a watch goes on from the next. Throws EtcdError; `compacted`
 * where it took so long that the revision is gone: begin again.
 */
export async function* pages(
  etcd: Pick<Etcd, 'range'>,
  prefix: string,
  entries = ENTRIES,
): AsyncGenerator<Page> {
  let limit = entries;
  let [after, revision]: [string | undefined, number | undefined] = [undefined, undefined];
  for (;;) {
    let page: Page;
    try {
      const place = {
        ...(after === undefined ? {} : { after }),
        ...(revision === undefined ? {} : { revision }),
      };
      page = await etcd.range({ prefix, limit, ...place });
    } catch (error) {
      // Large values: fewer of them at a time. One always fits.
      if (!isEtcd(error, 'too-large') || limit === 1) throw error;
      limit = Math.ceil(limit / 4);
      continue;
    }
    revision ??= page.revision;
    yield { ...page, revision };
    after = page.entries.at(-1)?.key;
    if (!page.more || after === undefined) return;
  }
}
