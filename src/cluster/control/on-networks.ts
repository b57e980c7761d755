/**
 * Who is on a network, and what a node has of it besides tasks. A network's revision changes with everything that is told of it,
 * so that whoever has looked at a network need not look again until it does (shared.ts).
 */
import type { Attachment } from '../../model/swarm/cluster.js';
import type { Service } from '../../model/swarm/service.js';
import type { Task } from '../../model/swarm/task.js';

interface Members {
  readonly tasks: ReadonlyMap<string, Task>;
  readonly attachments: ReadonlyMap<string, Attachment>;
  readonly services: ReadonlyMap<string, Service>;
  readonly revision: number;
}

interface MutableMembers extends Members {
  readonly tasks: Map<string, Task>;
  readonly attachments: Map<string, Attachment>;
  readonly services: Map<string, Service>;
  revision: number;
}

const nobody = (): MutableMembers => ({
  tasks: new Map(),
  attachments: new Map(),
  services: new Map(),
  revision: 0,
});
const NOBODY: Members = nobody();
const NOTHING: ReadonlyMap<string, Attachment> = new Map();

/** Those that it has an address on, and those that it is to be on. */
const networksOfService = ({ spec, endpoint }: Service): ReadonlySet<string> =>
  new Set([
    ...(endpoint?.virtualIps ?? []).map(({ networkId }) => networkId),
    ...spec.task.networks.map(({ target }) => target),
  ]);

const networksOfTask = ({ networks }: Task): readonly string[] => networks.map(({ networkId }) => networkId);

export class OnNetworks {
  readonly #members = new Map<string, MutableMembers>();
  readonly #byNode = new Map<string, Map<string, Attachment>>();
  #revision = 0;

  of(networkId: string): Members {
    return this.#members.get(networkId) ?? NOBODY;
  }

  /** Containers on attachable networks that no service made. */
  attachmentsOn(nodeId: string): ReadonlyMap<string, Attachment> {
    return this.#byNode.get(nodeId) ?? NOTHING;
  }

  task(id: string, old: Task | undefined, task: Task | undefined): void {
    for (const network of old ? networksOfTask(old) : []) this.#touch(network).tasks.delete(id);
    if (task) for (const network of networksOfTask(task)) this.#touch(network).tasks.set(id, task);
    if (old) this.#forget(networksOfTask(old));
  }

  /** Something is known of it that was not. */
  reported(task: Task): void {
    for (const network of networksOfTask(task)) this.#touch(network);
  }

  service(id: string, old: Service | undefined, service: Service | undefined): void {
    const former = old ? networksOfService(old) : [];
    for (const network of former) this.#touch(network).services.delete(id);
    if (service)
      for (const network of networksOfService(service)) this.#touch(network).services.set(id, service);
    this.#forget(former);
  }

  attachment(id: string, old: Attachment | undefined, attachment: Attachment | undefined): void {
    if (old) {
      this.#touch(old.networkId).attachments.delete(id);
      const known = this.#byNode.get(old.nodeId);
      known?.delete(id);
      if (known?.size === 0) this.#byNode.delete(old.nodeId);
    }
    if (attachment) {
      this.#touch(attachment.networkId).attachments.set(id, attachment);
      const known = this.#byNode.get(attachment.nodeId) ?? new Map<string, Attachment>();
      this.#byNode.set(attachment.nodeId, known.set(id, attachment));
    }
    if (old) this.#forget([old.networkId]);
  }

  #touch(networkId: string): MutableMembers {
    const members = this.#members.get(networkId) ?? nobody();
    this.#revision += 1;
    members.revision = this.#revision;
    this.#members.set(networkId, members);
    return members;
  }

  #forget(networks: Iterable<string>): void {
    for (const id of networks) {
      const members = this.#members.get(id);
      if (members && members.tasks.size + members.attachments.size + members.services.size === 0)
        this.#members.delete(id);
    }
  }
}
