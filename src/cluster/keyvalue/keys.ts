/**
 * The layout of keys in the user's etcd, below the path that the user gave. An allocation and what needs it are one transaction each way, so nothing
 * leaks and nothing is given twice, whoever writes.
 *
 *     network/ID                  what all hosts have agreed on                     `values.ts`
 *     name/NAME   vni/N           the network that has it
 *     subnets                     all of them in one value: to take one is to compare the whole
 *     ip/NETWORK/ADDRESS          the endpoint that has it
 *     endpoint/NETWORK/HOST/ID    a container on the network, and where its host is reached
 *     node/HOST                   its daemon is there: goes with a lease, and nothing else does
 */
const VERSION = 'viaduct/1/';

/** Before all of them. */
export const rootOf = (path: string): string => (path === '' ? VERSION : `${path}/${VERSION}`);

export const keys = {
  network: (id: string): string => `network/${id}`,
  name: (name: string): string => `name/${name}`,
  vni: (vni: number): string => `vni/${vni}`,
  vnis: 'vni/',
  subnets: 'subnets',
  address: (networkId: string, address: string): string => `ip/${networkId}/${address}`,
  addresses: (networkId: string): string => `ip/${networkId}/`,
  endpoint: (networkId: string, node: string, id: string): string => `endpoint/${networkId}/${node}/${id}`,
  endpoints: (networkId: string): string => `endpoint/${networkId}/`,
  node: (node: string): string => `node/${node}`,
} as const;

export type Key =
  | { readonly of: 'network'; readonly id: string }
  | { readonly of: 'endpoint'; readonly networkId: string; readonly node: string; readonly id: string }
  | { readonly of: 'node'; readonly node: string };

/** undefined: of no concern to who follows, or of a later version. */
export const readKey = (key: string): Key | undefined => {
  const [of, first = '', node = '', id = '', ...more] = key.split('/');
  if (of === 'network' && first !== '' && node === '') return { of, id: first };
  if (of === 'node' && first !== '' && node === '') return { of, node: first };
  if (of === 'endpoint' && node !== '' && id !== '' && more.length === 0)
    return { of, networkId: first, node, id };
  return undefined;
};
