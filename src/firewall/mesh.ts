/**
 * The routing mesh: each node of a cluster answers on a service's published port, and leads each new flow to one of its tasks, on
 * whichever node that is, with the client's address as it is. Ports are elements, and cost a packet the same however many
 * there are. Where nobody serves a port there are no elements of it, and whoever holds it refuses.
 */
import type { PortBinding, Protocol } from '../model/port.js';
import { groupBy } from '../plan/group.js';
import type { ElementObject, KernelObject, MeshPortObject } from '../plan/objects.js';
import { type Balancing, backendsIn, balanced, rebalanced } from './balance.js';
import { port, v4, v6 } from './inet/matches.js';
import type { CountedChains, SetElement } from './language.js';
import { heldElements } from './publish.js';
import * as s from './statements.js';

const PREFIX = 'mesh_one_of_';

export const MESH_COUNTED: CountedChains = {
  prefix: PREFIX,
  rules: [
    s.rule('IPv4', v4, s.dnatByLot(4, 'mesh_slots4', ...port)),
    s.rule('IPv6', v6, s.dnatByLot(6, 'mesh_slots6', ...port)),
  ],
};

const FAMILIES = [4, 6] as const;

const BALANCING = {
  4: { family: 'inet', verdicts: 'mesh4', slots: 'mesh_slots4', prefix: PREFIX },
  6: { family: 'inet', verdicts: 'mesh6', slots: 'mesh_slots6', prefix: PREFIX },
} as const satisfies Readonly<Record<4 | 6, Balancing>>;

/** What of a service all nodes publish: runs of ports, on every address (`0.0.0.0` or `::`). */
export interface MeshService {
  readonly bindings: readonly PortBinding[];
  /** bare addresses of tasks, each at the number of its slot */
  readonly backends: Readonly<Record<4 | 6, readonly string[]>>;
}

const ledPorts = (
  family: 4 | 6,
  { protocol, hostPort, containerPort, count }: PortBinding,
  backends: readonly string[],
): readonly MeshPortObject[] =>
  backends.length === 0
    ? []
    : Array.from({ length: count }, (_, at) => ({
        kind: 'meshPort',
        family,
        protocol,
        port: hostPort + at,
        targets: backends.map((address) => `${address} ${containerPort + at}`),
      }));

/** Slice `balancer/<id>`. A family in which no task has an address is carried by the daemon's relay. */
export const meshObjects = ({ bindings, backends }: MeshService): readonly KernelObject[] =>
  bindings.flatMap((binding) => {
    const family = binding.hostIp.includes(':') ? 6 : 4;
    const other = backends[family === 4 ? 6 : 4];
    const relayed = backends[family].length === 0 && other.length > 0;
    return [
      ...heldElements(relayed ? 'relay' : 'held', binding),
      ...ledPorts(family, binding, backends[family]),
    ];
  });

const keyOf = ({ protocol, port }: MeshPortObject): readonly string[] => [protocol, String(port)];

const asObject = (element: SetElement): ElementObject => ({ kind: 'element', ...element, family: 'inet' });

/** In the order in which one may be written behind the other. */
export const meshPortElements = (o: MeshPortObject): readonly ElementObject[] =>
  o.damaged ?? balanced(BALANCING[o.family], keyOf(o), o.targets).map(asObject);

interface Change {
  readonly op: 'add' | 'delete';
  readonly element: ElementObject;
}
const changes = (op: Change['op'], elements: readonly SetElement[]): readonly Change[] =>
  elements.map((element) => ({ op, element: asObject(element) }));

/** Of a slot its number; a verdict comes before all slots. */
const slotOf = ({ key }: SetElement): number => (key.length === SLOT_FIELDS ? Number(key.at(-1)) : -1);
const SLOT_FIELDS = 3;

/**
 * From one state of a port to another, in batches: a new slot is there before a verdict leads to it, and one goes behind that, so no
 * packet meets a hole between its two look-ups. `before`, `after`: undefined where there is none of it.
 */
export const meshPortChanges = (
  before: MeshPortObject | undefined,
  after: MeshPortObject | undefined,
): readonly (readonly Change[])[] => {
  const o = after ?? before;
  if (!o) return [];
  if (before?.damaged)
    return [[...changes('delete', before.damaged), ...changes('add', after ? meshPortElements(after) : [])]];
  const [known, wanted] = [before?.targets.length ?? 0, after?.targets.length ?? 0];
  const { gone, come } = rebalanced(BALANCING[o.family], keyOf(o), before?.targets, after?.targets);
  const isNew = (element: SetElement): boolean => slotOf(element) >= known;
  const isLeft = (element: SetElement): boolean => slotOf(element) >= wanted;
  return [
    changes('add', come.filter(isNew)),
    [
      ...changes(
        'delete',
        gone.filter((element) => !isLeft(element)),
      ),
      ...changes(
        'add',
        come.filter((element) => !isNew(element)),
      ),
    ],
    changes('delete', gone.filter(isLeft)),
  ];
};

const SETS: ReadonlyMap<string, 4 | 6> = new Map(
  FAMILIES.flatMap((family) => {
    const { verdicts, slots } = BALANCING[family];
    return [[verdicts, family] as const, [slots, family] as const];
  }),
);

const familyOf = ({ family, set }: ElementObject): 4 | 6 | undefined =>
  family === 'inet' ? SETS.get(set) : undefined;

const nameOf = (element: ElementObject): string => {
  const [protocol = '', number = ''] = element.key;
  return `${familyOf(element)} ${protocol} ${number}`;
};

/** What elements say of one port. */
const portOf = (elements: readonly ElementObject[]): MeshPortObject => {
  const [first] = elements;
  const [protocol = '', number = ''] = first?.key ?? [];
  const port: MeshPortObject = {
    kind: 'meshPort',
    family: (first && familyOf(first)) ?? 4,
    protocol: protocol as Protocol, // it was read from a field of that type
    port: Number(number),
    targets: backendsIn(elements.filter((element) => slotOf(element) >= 0)),
  };
  const asWritten = new Set(meshPortElements(port).map(textOf));
  const whole =
    elements.length === asWritten.size && elements.every((element) => asWritten.has(textOf(element)));
  return whole ? port : { ...port, targets: [], damaged: elements };
};

const textOf = ({ set, key, data = [] }: SetElement): string => [set, ...key, ...data].join(' ');

/** The other way round: elements that are observed, those of the mesh put together. */
export const meshPortsOf = (
  elements: readonly ElementObject[],
): { readonly ports: readonly MeshPortObject[]; readonly others: readonly ElementObject[] } => {
  const ours = elements.filter((element) => familyOf(element) !== undefined);
  return {
    ports: [...groupBy(ours, nameOf).values()].map(portOf),
    others: elements.filter((element) => familyOf(element) === undefined),
  };
};
