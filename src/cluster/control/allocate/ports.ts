/** Published ports: each number of the cluster is one service's, on all nodes. */
import type { PortConfig } from '../../../model/swarm/endpoint.js';
import { keyOf } from '../../../model/swarm/records.js';
import type { Service } from '../../../model/swarm/service.js';
import { claim, type Draft, type Edit } from '../draft.js';
import type { ClusterState } from '../state.js';

/** Numbers that are chosen where the user names none. */
const [FIRST, LAST] = [30_000, 32_767];

const idOf = (protocol: string, port: number): string => `${protocol}/${port}`;

const same = (a: PortConfig, b: PortConfig): boolean =>
  a.name === b.name && a.protocol === b.protocol && a.targetPort === b.targetPort;

const ownedBy = (state: ClusterState, service: Service, protocol: string, port: number): boolean =>
  state.get('port', idOf(protocol, port))?.owner === keyOf('service', service.id);

const taken = (state: ClusterState, protocol: string, port: number): string => {
  const owner = state.get('port', idOf(protocol, port))?.owner ?? '';
  const other = state.get('service', owner.slice('service/'.length));
  return `port '${port}' is already in use by service '${other?.spec.name ?? ''}' (${other?.id ?? owner}) as an ingress port`;
};

export interface Ports {
  readonly ports: readonly PortConfig[];
  readonly edits: readonly Edit[];
  readonly err: string;
}

class Choice {
  readonly ports: PortConfig[] = [];
  readonly edits: Edit[] = [];
  /** chosen or named by this service, whether they are its already or not */
  readonly #mine = new Set<string>();
  err = '';

  constructor(
    readonly draft: Draft,
    readonly service: Service,
    readonly wanted: readonly PortConfig[],
  ) {
    for (const { protocol, publishedPort, mode } of wanted)
      if (mode === 'ingress' && publishedPort !== 0) this.#mine.add(idOf(protocol, publishedPort));
  }

  add(port: PortConfig): void {
    if (port.mode === 'host') this.ports.push(port);
    else this.#take(port, port.publishedPort || this.#choose(port));
  }

  /** The one that it has had for this port, else the lowest that is free; 0: none. */
  #choose(port: PortConfig): number {
    const { state } = this.draft;
    const { protocol } = port;
    const had = this.service.endpoint?.ports.find(
      (each) =>
        each.mode === 'ingress' &&
        same(each, port) &&
        !this.#mine.has(idOf(protocol, each.publishedPort)) &&
        ownedBy(state, this.service, protocol, each.publishedPort),
    );
    if (had) return had.publishedPort;
    for (let number = FIRST; number <= LAST; number += 1)
      if (!state.get('port', idOf(protocol, number)) && !this.#mine.has(idOf(protocol, number)))
        return number;
    return 0;
  }

  #take(port: PortConfig, number: number): void {
    const { state } = this.draft;
    const { protocol } = port;
    const id = idOf(protocol, number);
    if (number === 0) this.err = `no free port is left between ${FIRST} and ${LAST}`;
    else if (ownedBy(state, this.service, protocol, number))
      this.ports.push({ ...port, publishedPort: number });
    else if (state.get('port', id)) this.err = taken(state, protocol, number);
    else {
      this.edits.push(['port', claim(this.draft, id, keyOf('service', this.service.id))]);
      this.ports.push({ ...port, publishedPort: number });
    }
    this.#mine.add(id);
  }

  /** What it has and wants no longer. */
  giveBack(): void {
    const { state } = this.draft;
    for (const key of state.owned(keyOf('service', this.service.id))) {
      const id = key.slice('port/'.length);
      const record = key.startsWith('port/') && !this.#mine.has(id) ? state.get('port', id) : undefined;
      if (record) this.edits.push(['port', record, 'remove']);
    }
  }
}

/** At most `most` edits: a service may publish more than one transaction can hold; the rest is for another pass. */
export const choosePorts = (draft: Draft, service: Service): Ports => {
  const wanted = service.spec.endpoint?.ports ?? [];
  const choice = new Choice(draft, service, wanted);
  for (const port of wanted) choice.add(port);
  choice.giveBack();
  return choice;
};
