/** The macvlan driver: each endpoint is an interface with a MAC of its own on the parent's wire, beside the host. */
import type { MacvlanLink } from '../plan/objects.js';
import { wordOption } from './options.js';
import { onParent } from './parent.js';

const MODES: readonly MacvlanLink['mode'][] = ['bridge', 'private', 'vepa', 'passthru'];

export const macvlan = onParent({
  name: 'macvlan',
  prefix: 'dm-',
  mac: true,
  words: (options) => ({ mode: wordOption('macvlan', 'mode', MODES, options) }),
  /** Any number of networks share a parent, but a passthru one has it to itself. */
  conflict(own, others, { id }, parent) {
    if (own.mode === 'passthru')
      return `cannot use mode passthru, macvlan network ${id} is already using parent interface ${parent}`;
    return others.mode === 'passthru'
      ? `macvlan network ${id} is already using parent interface ${parent} in mode passthru`
      : undefined;
  },
  link: (common, { mode }, { mac }): MacvlanLink => ({ ...common, type: 'macvlan', mac, mode }),
  onLink: () => false,
});
