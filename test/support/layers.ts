/**
 * The direction of imports, as data: for each room of src/ what it may import and why, and the function that finds what
 * breaks it. Rooms are the first segment of a path (`kernel/ffi.ts` is in `kernel`, `errors.ts` is `errors`).
 */
import type { Import } from './imports.js';

export interface Layer {
  /** rooms, or single files (`engine/contract`), besides the room itself */
  readonly may: readonly string[];
  readonly because: string;
}

/** Types of what is injected; they carry no code, so an importer stays independent of the implementation. */
const INJECTED = [
  'kernel/contract',
  'runtime/contract',
  'images/contract',
  'dns/contract',
  'config/contract',
  'plugins/contract',
];

export const LAYERS: Readonly<Record<string, Layer>> = {
  model: { may: [], because: 'the model is plain data that everything else agrees on' },
  errors: { may: [], because: 'kinds of failure belong to no layer' },
  defined: { may: [], because: 'objects without what they do not say belong to no layer' },
  'small-files': {
    may: ['errno', 'errors'],
    because: 'reading and replacing a small file belongs to no layer',
  },
  'go-fields': { may: [], because: 'how Go reads JSON belongs to no layer' },
  errno: { may: ['errors'], because: 'the system’s error numbers belong to no layer' },
  failpoints: { may: [], because: 'places at which a test ends the daemon belong to no layer' },
  'last-resort': { may: ['log'], because: 'what nobody caught belongs to no layer' },
  watchdog: { may: ['log'], because: 'who holds the loop is nobody’s in particular' },
  log: { may: [], because: 'the shape of a log belongs to no layer' },
  nesting: { may: [], because: 'how deep a JSON text nests belongs to no layer' },
  pace: { may: [], because: 'turns of the loop belong to no layer' },
  batches: { may: [], because: 'small pieces in few writes belong to no layer' },
  door: { may: [], because: 'what is answered to people who look is described once, for both ends' },
  template: {
    may: ['model', 'errors'],
    because: 'what a template becomes is a function of the task that it is for',
  },
  ipam: { may: ['model', 'errors', 'defined'], because: 'allocation is pure, so it can be property-tested' },
  plan: { may: ['model', 'errors'], because: 'a plan is data; who carries it out is not its business' },
  firewall: {
    may: ['model', 'errors', 'defined', 'plan'],
    because: 'the firewall is a pure function to plan’s elements',
  },
  drivers: {
    may: ['model', 'errors', 'defined', 'plan', 'firewall', 'ipam'],
    because: 'a driver is a total, pure function from the model to kernel objects',
  },
  plugins: {
    may: ['model', 'errors', 'defined', 'go-fields', 'ipam', 'drivers/options'],
    because: 'the plugin protocol knows what may be said, not what is made of it',
  },
  config: {
    may: ['model', 'errors', 'small-files', 'defined', 'ipam'],
    because: 'settings are checked before anything else exists',
  },
  store: {
    may: ['model', 'errors', 'defined', 'failpoints', 'pace'],
    because: 'durable intent knows the model and the disk, nothing between',
  },
  kernel: {
    may: ['model', 'errors', 'small-files', 'defined', 'errno', 'failpoints', 'pace', 'plan', 'firewall'],
    because: 'the kernel layer carries out plans and decides nothing',
  },
  ovs: {
    may: ['model', 'errors', 'defined', 'errno', 'plan', 'kernel'],
    because: 'Open vSwitch is a back end of the kernel layer, which itself knows none by name',
  },
  files: {
    may: ['errors', 'errno', 'pace', 'kernel'],
    because: 'files by descriptor are below everybody who has files to move',
  },
  ports: {
    may: ['model', 'errors', 'small-files', 'defined', 'errno', 'pace', 'plan', 'kernel'],
    because: 'holding ports is an effect like the kernel’s',
  },
  runtime: {
    may: [
      'model',
      'errors',
      'small-files',
      'defined',
      'errno',
      'log',
      'failpoints',
      'pace',
      'kernel',
      'files',
    ],
    because: 'the runtime knows processes and mounts, not networks',
  },
  builder: {
    may: ['model', 'errors', 'defined'],
    because: 'what a Dockerfile says is text and data; who carries it out is not its business',
  },
  images: {
    may: ['model', 'errors', 'small-files', 'defined', 'errno', 'pace', 'kernel', 'files', 'builder'],
    because: 'images know layers and mounts, not containers',
  },
  dns: {
    may: ['model', 'errors', 'small-files', 'defined', 'errno', 'plan', 'kernel', 'engine/contract'],
    because: 'the resolver reads snapshots through an interface that the engine implements',
  },
  engine: {
    may: [
      'model',
      'errors',
      'small-files',
      'defined',
      'errno',
      'log',
      'failpoints',
      'pace',
      'door',
      'ipam',
      'drivers',
      'firewall',
      'plan',
      'builder',
      'store',
      ...INJECTED,
      'kernel/ffi',
      'kernel/file-calls',
      'kernel/mount-table',
      'files',
      'dns/hosts',
      'dns/resolv-conf',
      'dns/etc-files',
    ],
    because: 'the engine receives kernel and runtime by injection, so it runs on the fake kernel in tests',
  },
  cluster: {
    may: [
      ...['model', 'errors', 'errno', 'log', 'failpoints', 'nesting', 'pace', 'batches', 'ipam', 'kernel'],
      'template',
      'engine/contract',
      ...['engine/cluster', 'config/contract', 'drivers/contract'],
    ],
    because:
      'a cluster stands on programs and keys of its own, and commands a node through the engine’s contracts, as a client does',
  },
  api: {
    may: [
      'model',
      'errors',
      'small-files',
      'defined',
      'go-fields',
      'log',
      'nesting',
      'batches',
      'door',
      'engine/contract',
      'engine/build/contract',
      'images/contract',
      'images/reference',
      'runtime/contract',
      'config/contract',
      'cluster/contract',
      'cluster/inactive',
    ],
    because: 'the API is one door among others: it sees the engine’s contract and nothing behind it',
  },
  cli: {
    may: ['model', 'errors', 'door', 'engine/contract'],
    because: 'the command line speaks to the daemon as any client does',
  },
};

/** Rooms that must stay pure may use these builtins, which neither do I/O nor read clocks. */
const PURE_ROOMS = new Set(['model', 'errors', 'defined', 'ipam', 'plan', 'firewall', 'drivers', 'builder']);
const PURE_BUILTINS = new Set([
  'node:net',
  'node:crypto',
  'node:util',
  'node:path',
  'node:assert',
  'node:assert/strict',
]);

/**
 * Of the engine's files those that decide: all of these rooms but the files that act, so that a new one is pure unless it is
 * named here.
 */
const DECIDING = {
  rooms: ['engine/attach/', 'engine/networks/'],
  files: new Set([
    ...[
      'engine/decision',
      'engine/view',
      'engine/cluster',
      'engine/plugins/owed-calls',
      'engine/containers/create',
      'engine/containers/decide',
    ],
    ...['engine/containers/healthcheck', 'engine/containers/signals'],
  ]),
  acting: new Set([
    ...[
      'engine/attach/index',
      'engine/attach/ahead',
      'engine/attach/ask-plugins',
      'engine/attach/ask-cluster',
    ],
    ...['engine/networks/index', 'engine/networks/in-cluster'],
  ]),
  /** records and rules, and of the world only the types of what is seen of it */
  may: new Set([
    ...['model', 'errors', 'defined', 'ipam', 'plan', 'drivers'],
    ...[
      'dns/hosts',
      'dns/resolv-conf',
      'config/contract',
      'engine/contract',
      'engine/commit/model',
      'engine/commit/tables',
    ],
  ]),
} as const;

/** These put the rooms together, so they see them all; nobody imports them. */
const WIRING = new Set(['main', 'daemon', 'task-engine']);

const roomOf = (path: string): string => (path.split('/')[0] ?? '').replace(/\.ts$/, '');
const isFile = (target: string): boolean => target.endsWith('.ts');

const layerBroken = ({ from, to }: Import): string | undefined => {
  const room = roomOf(from);
  if (WIRING.has(room) || !isFile(to) || roomOf(to) === room) return undefined;
  const layer = LAYERS[room];
  if (!layer) return `${from}: the room "${room}" has no rule in test/support/layers.ts`;
  const allowed = layer.may.includes(roomOf(to)) || layer.may.includes(to.replace(/\.ts$/, ''));
  return allowed ? undefined : `${from} imports ${to}, but ${layer.because}`;
};

const ffiBroken = ({ from, to }: Import): string | undefined =>
  to.split('/')[0] === 'koffi' && from !== 'kernel/ffi.ts'
    ? `${from} loads koffi, but only kernel/ffi.ts does: foreign memory is touched in one file`
    : undefined;

const impure = ({ from, to }: Import): string | undefined =>
  PURE_ROOMS.has(roomOf(from)) && !isFile(to) && !PURE_BUILTINS.has(to)
    ? `${from} imports ${to}, but "${roomOf(from)}" is pure: no I/O, no clock, no package`
    : undefined;

const withoutEnding = (path: string): string => path.replace(/\.ts$/, '');

const decides = (file: string): boolean =>
  DECIDING.files.has(file) ||
  (DECIDING.rooms.some((room) => file.startsWith(room)) && !DECIDING.acting.has(file));

/** A decision can be looked at before it is carried out only if deciding does nothing. */
const deciding = ({ from, to }: Import): string | undefined => {
  if (!decides(withoutEnding(from))) return undefined;
  const file = withoutEnding(to);
  const allowed = isFile(to)
    ? decides(file) || DECIDING.may.has(file) || DECIDING.may.has(roomOf(to))
    : PURE_BUILTINS.has(to);
  return allowed
    ? undefined
    : `${from} imports ${to}, but it decides: what it needs of the world is in its view`;
};

/** What the controllers of a cluster may see: records, and nothing by which anything could be done. */
const CONTROLLERS = 'cluster/control/';
const controlling = ({ from, to }: Import): string | undefined => {
  if (!from.startsWith(CONTROLLERS)) return undefined;
  const file = withoutEnding(to);
  const allowed = isFile(to)
    ? file.startsWith(CONTROLLERS) ||
      file === 'cluster/rpc' ||
      file === 'cluster/session/assigned' ||
      ['model', 'errors', 'ipam', 'template'].includes(roomOf(to))
    : PURE_BUILTINS.has(to);
  return allowed
    ? undefined
    : `${from} imports ${to}, but a controller is a function of the cluster’s records`;
};

/** `drivers/bridge.ts` and `drivers/bridge/…` are both the driver `bridge`. */
const driverOf = (path: string): string => (path.split('/')[1] ?? '').replace(/\.ts$/, '');

/** What the registry imports, apart from the contract, is a driver; all else in the room is common ground. */
const driversIn = (imports: readonly Import[]): ReadonlySet<string> =>
  new Set(
    imports
      .filter(
        ({ from, to }) =>
          from === 'drivers/index.ts' && to.startsWith('drivers/') && driverOf(to) !== 'contract',
      )
      .map(({ to }) => driverOf(to)),
  );

const acrossDrivers = ({ from, to }: Import, drivers: ReadonlySet<string>): string | undefined => {
  if (!to.startsWith('drivers/') || from === 'drivers/index.ts') return undefined;
  const target = driverOf(to);
  if (!drivers.has(target) || (roomOf(from) === 'drivers' && driverOf(from) === target)) return undefined;
  return `${from} imports the driver ${target}, but drivers are reached through drivers/index.ts and never import each other`;
};

/** One sentence for each import that breaks a rule; empty where all hold. */
export const brokenRules = (imports: readonly Import[]): readonly string[] => {
  const drivers = driversIn(imports);
  return imports.flatMap((each) =>
    [
      ...[layerBroken(each), ffiBroken(each), impure(each), deciding(each), controlling(each)],
      acrossDrivers(each, drivers),
    ].filter((x) => x !== undefined),
  );
};

/**
 * Property tests judge plans by what they come to, so neither they nor anything of the tests' own that they use knows how plans
 * are made. `imports`: of one file of the tests, by its path relative to `test/`.
 */
export const knowingPlans = (
  properties: readonly string[],
  imports: (path: string) => readonly Import[],
): readonly string[] => {
  const used = new Set(properties);
  const found: string[] = [];
  // A set that grows while it is gone through is gone through to its new end.
  for (const file of used)
    for (const { from, to } of imports(file)) {
      if (isFile(to) && !to.startsWith('../')) used.add(to);
      if (to.startsWith('../src/plan/')) found.push(`${from} imports ${to}, but it judges plans`);
    }
  return found;
};

/**
 * Files that reach themselves, and those on the way from one circle to another: what is left once everything that imports
 * none of the others, or is imported by none, has been taken away.
 */
export const circles = (imports: readonly Import[]): readonly string[] => {
  let left = imports.filter(({ to }) => isFile(to));
  for (;;) {
    const importers = new Set(left.map(({ from }) => from));
    const imported = new Set(left.map(({ to }) => to));
    const next = left.filter(({ from, to }) => importers.has(to) && imported.has(from));
    if (next.length === left.length) return [...importers].sort();
    left = next;
  }
};
