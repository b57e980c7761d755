/**
 * The tables of a sandbox that services' clients reach by the nodes of a cluster. They come with their own addresses, through any
 * node, so an answer has to leave by the node that the connection came by. All nodes have one address on the ingress network and a
 * MAC of their own, so that MAC is kept with the flow and written into what is answered. No node is named here: nothing
 * changes when one comes or goes.
 *
 * A client may use one port with several nodes at once. To the sandbox these are one flow, so each node's flows are a zone of
 * tracking, and the chain for NAT, empty as it is, has the kernel give the second another port.
 */
import { NODE_MAC } from '../model/mac.js';
import type { Table } from './language.js';
import * as s from './statements.js';

/** As rules compare it. */
export const NODE_MAC_BYTES = `0x${NODE_MAC.replace(':', '')}`;

/** In front of tracking (-200), and of what a container does with marks itself (-150). */
const [BEFORE_TRACKING, BEFORE_MARKS] = [-300, -151];
/** Where sources are translated (100). */
const SOURCES = 100;

const byNode = s.match('ether saddr 0-1', NODE_MAC_BYTES);
const marked = s.match('ct mark', '0', '!=');

export const WAY_BACK: Table = {
  family: 'inet',
  name: 'viaduct_mesh',
  sets: [],
  chains: [
    s.baseChain(
      'zones',
      'filter',
      'prerouting',
      BEFORE_TRACKING,
      s.rule('a zone each node', byNode, s.copy('ct original zone', 'ether saddr 4-5')),
    ),
    s.baseChain(
      'came_by',
      'filter',
      'prerouting',
      BEFORE_MARKS,
      s.rule('by which node', byNode, s.copy('ct mark', 'ether saddr 2-5')),
    ),
    s.baseChain('apart', 'nat', 'input', SOURCES),
    s.baseChain(
      'goes_by',
      'filter',
      'output',
      BEFORE_MARKS,
      s.rule('by which node', marked, s.copy('meta mark', 'ct mark')),
    ),
  ],
};

/** Of the interface on the ingress network, after which its one chain is called. */
export const wayBackOut = (link: string): Table => ({
  family: 'netdev',
  name: 'viaduct_mesh',
  sets: [],
  chains: [
    {
      name: link,
      base: { type: 'filter', hook: 'egress', device: link, priority: 0 },
      rules: [
        s.rule(
          'to the node it came by',
          s.match('meta mark', '0', '!='),
          s.match('ether daddr 0-1', NODE_MAC_BYTES),
          s.copy('ether daddr 2-5', 'meta mark'),
        ),
      ],
    },
  ],
});
