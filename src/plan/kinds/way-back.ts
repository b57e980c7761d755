/** How answers leave a sandbox on the ingress network by the node that the connection came by (`firewall/way-back.ts`). */
import type { Netns } from '../link-objects.js';
import { interfaceKey, type Kind } from './kind.js';

export interface WayBackObject {
  readonly kind: 'wayBack';
  readonly ns: Netns;
  /** the sandbox's interface on the network */
  readonly link: string;
}

const wayBack: Kind<WayBackObject> = {
  key: ({ ns }) => ns,
  mark: 'own',
  open: 'openElement',
  close: 'closeElement',
  on: ({ ns, link }) => interfaceKey(ns, link),
  within: ({ ns }) => ns,
  print: (op, { ns, link }) =>
    op === 'delete'
      ? `ip netns exec ${ns} nft delete table inet viaduct_mesh`
      : `answer in ${ns} by the node that ${link} was reached by`,
};

export const WAY_BACK = { wayBack };
