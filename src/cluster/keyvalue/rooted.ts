/** A store of which only the keys below one are seen, by what follows it. */
import type { Compare, Entry, Etcd, Operation, Selection } from '../etcd/contract.js';

export const rooted = (etcd: Etcd, root: string): Pick<Etcd, 'range' | 'txn' | 'put'> => {
  const into = <T extends Selection>(selection: T): T =>
    'key' in selection
      ? { ...selection, key: root + selection.key }
      : { ...selection, prefix: root + selection.prefix };
  const outOf = (entry: Entry): Entry => ({ ...entry, key: entry.key.slice(root.length) });
  const operation = (each: Operation): Operation => into(each);
  return {
    async range(request) {
      const { after } = request;
      const page = await etcd.range({
        ...into(request),
        ...(after === undefined ? {} : { after: root + after }),
      });
      return { ...page, entries: page.entries.map(outOf) };
    },
    async txn({ compare = [], success, failure = [] }) {
      const result = await etcd.txn({
        compare: compare.map((each): Compare => into(each)),
        success: success.map(operation),
        failure: failure.map(operation),
      });
      const results = result.results.map((each) =>
        each.do === 'get' ? { ...each, entries: each.entries.map(outOf) } : each,
      );
      return { ...result, results };
    },
    put: (key, value, lease) => etcd.put(root + key, value, lease),
  };
};
