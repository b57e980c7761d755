/** The ipvlan driver: each endpoint is an interface that shares the parent's MAC, told apart by its addresses alone. */
import type { IpvlanLink } from '../plan/objects.js';
import { wordOption } from './options.js';
import { dummyName, onParent } from './parent.js';

const MODES: readonly IpvlanLink['mode'][] = ['l2', 'l3', 'l3s'];
const FLAGS: readonly IpvlanLink['flag'][] = ['bridge', 'private', 'vepa'];

export const ipvlan = onParent({
  name: 'ipvlan',
  prefix: 'di-',
  mac: false,
  words: (options) => ({
    mode: wordOption('ipvlan', 'mode', MODES, options),
    flag: wordOption('ipvlan', 'flag', FLAGS, options),
  }),
  /** Mode and flag are the parent's, so a parent has one network. */
  conflict: (_own, _others, other, parent) =>
    `network ${dummyName('di-', other)} is already using parent interface ${parent}`,
  link: (common, { mode, flag }): IpvlanLink => ({ ...common, type: 'ipvlan', mode, flag }),
  /** In l3 modes the host's routing takes over where the interface ends: no router is asked for by ARP. */
  onLink: ({ mode }) => mode !== 'l2',
});
