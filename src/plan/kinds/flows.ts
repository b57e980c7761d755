/**
 * Where flows under way to ports that all nodes of a cluster publish may lead. The kernel keeps a flow to where it was led first, for as
 * long as packets come, also when nobody is there any more: what leads elsewhere is forgotten, so that connections to a node that
 * is lost end and do not hang. Nothing in the kernel tells it; who makes it remembers it.
 */
import type { Protocol } from '../../model/port.js';
import type { Kind } from './kind.js';

export interface FlowsObject {
  readonly kind: 'flows';
  readonly protocol: Protocol;
  /** `port … port+count-1`, of any address of this host */
  readonly port: number;
  readonly count: number;
  /** CIDRs: what leads out of these is none of ours */
  readonly subnets: readonly string[];
  /** bare addresses; in whichever order, one may be there twice */
  readonly to: readonly string[];
}

/** Somebody is left out who was not. */
export const losesFlows = (before: FlowsObject, after: FlowsObject): boolean => {
  const stays = new Set(after.to);
  return before.to.some((address) => !stays.has(address));
};

const flows: Kind<FlowsObject> = {
  key: (o) => `${o.protocol} ${o.port}+${o.count}`,
  mark: 'own',
  open: 'openElement',
  close: 'closeElement',
  print: (op, o) =>
    op === 'delete'
      ? `flows to ${o.protocol} port ${o.port} may lead anywhere`
      : `flows to ${o.protocol} port ${o.port} lead to ${o.to.join(', ') || 'nobody'}; others are forgotten at the end`,
};

export const FLOWS = { flows };
