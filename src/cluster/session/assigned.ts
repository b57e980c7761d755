/**
 * What one node is to have, as its manager tells it: a set of items, each with a key. A session begins with the whole set; after it
 * only what has changed is told. An item that is told again replaces the one with its key. Both ends check what they hear.
 */
import * as z from 'zod';
import { balancerId } from '../../model/balancer.js';
import { peerId } from '../../model/peer.js';
import { isTunnelKey } from '../../model/tunnel.js';
import { port, ports, report, swarmNetwork, task, taskSpec } from '../mirror/service-codec.js';
import { listOf } from './bounded.js';

const text = z.string();

/** How a node is reached on encrypted networks. */
export const tunnel = z.object({
  key: text.refine(isTunnelKey),
  port: z.number().int().min(1).max(65_535),
});

const id = z.string().regex(/^[0-9a-z]{1,64}$/);
const address = z.string().max(64);

/** A task of this node's, also one that is told to stop, until the node has said that it did. */
const assignedTask = task.extend({
  kind: z.literal('task'),
  service: z.object({ name: text, labels: z.record(text, text) }),
  /** what it is made by, with references to secrets and configs among the items */
  made: taskSpec,
  /** all that its service publishes, by the node or by the mesh */
  ports,
});

/** A network that one of its tasks, or a container of its own, is on. */
const assignedNetwork = swarmNetwork.extend({ kind: z.literal('network') });

/** Its content in base64, clear; only in the memory of a node that has a task with need of it. */
const blob = {
  ...{ id, name: text, data: text },
  /** it is filled in for each task */
  template: z.literal(true).exactOptional(),
};
const assignedSecret = z.object({ kind: z.literal('secret'), ...blob });
const assignedConfig = z.object({ kind: z.literal('config'), ...blob });

/** A node of the cluster, the one that is told among them. */
const assignedNode = z.object({
  kind: z.literal('node'),
  id,
  hostname: text,
  /** 1–65535 */
  number: z.number().int(),
  /** bare, where its VXLAN packets come from and go to */
  dataAddress: address,
  tunnel: tunnel.exactOptional(),
});

const name = z.string().max(255);

/** A container of a node's own on an attachable network, as the node says. */
export const attachedEndpoint = z.object({
  id,
  containerId: id,
  containerName: name,
  /** of one interface, never of a group */
  mac: z.string().regex(/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/),
  ipv4: address.exactOptional(),
  ipv6: address.exactOptional(),
  dnsNames: z.array(name).max(256).readonly(),
});

/** What one other node has on a network of this one's: as `Peer` of the model, without the host's address. */
const assignedPeer = z.object({
  kind: z.literal('peer'),
  networkId: id,
  node: id,
  endpoints: z.array(
    z.object({
      id,
      containerId: text,
      containerName: text,
      mac: address,
      ipv4: address.exactOptional(),
      ipv6: address.exactOptional(),
      dnsNames: z.array(text).readonly(),
    }),
  ),
});

/** A service on a network of this node's: as `Balancer` of the model. */
const assignedBalancer = z.object({
  kind: z.literal('balancer'),
  networkId: id,
  serviceId: id,
  names: z.array(text).readonly(),
  vip4: address.exactOptional(),
  vip6: address.exactOptional(),
  backends: z
    .array(z.object({ id, node: id, ipv4: address.exactOptional(), ipv6: address.exactOptional() }))
    .readonly(),
  leaving: z.array(address).readonly().exactOptional(),
  ports: z
    .array(
      z.object({
        protocol: z.enum(['tcp', 'udp', 'sctp']),
        publishedPort: z.number().int(),
        targetPort: z.number().int(),
      }),
    )
    .readonly(),
});

export const assignedItem = z.discriminatedUnion('kind', [
  assignedTask,
  assignedNetwork,
  assignedSecret,
  assignedConfig,
  assignedNode,
  assignedPeer,
  assignedBalancer,
]);
export type AssignedItem = z.infer<typeof assignedItem>;

/** `task/ID`, `peer/NETWORK/NODE` and the like. */
export const itemKey = (item: AssignedItem): string => {
  if (item.kind === 'peer') return `peer/${peerId(item.networkId, item.node)}`;
  if (item.kind === 'balancer') return `balancer/${balancerId(item.networkId, item.serviceId)}`;
  return `${item.kind}/${item.id}`;
};

/** From the manager. `whole`: nothing else is to be there. */
export const assign = z.object({
  type: z.literal('assign'),
  whole: z.boolean(),
  set: z.array(assignedItem),
  /** keys */
  unset: z.array(text),
});

/** What a node says of one task, as in `TaskReport`. */
export const taskSaid = report.extend({ ports: listOf(port, 65_536).exactOptional() });
export type TaskSaid = z.infer<typeof taskSaid>;

/** From the node: what has become of its tasks. All of them when a session begins, then what has changed. */
export const reports = z.object({ type: z.literal('report'), tasks: listOf(taskSaid, 1_000) });
