/** Commands that a daemon is killed in the middle of, on a network `net` of any driver, and what may be seen afterwards. */

export interface Scenario {
  readonly name: string;
  readonly before: readonly (readonly string[])[];
  readonly command: readonly string[];
  /** what may be seen (`view` in crash.ts) after a crash in the middle of it */
  readonly may: readonly string[];
  /** what is seen when it was done */
  readonly done: string;
  /** a file in `box` that it makes: where there is none after a crash, the daemon died before it heard the command */
  readonly makes?: string;
}

const SETTINGS = ['--name', 'box', '-p', '8080:80', '-v', 'data:/data', '--network', 'net', 'alpine'];
/** Runs until the file /data/end is there. */
const PROGRAM = ['sh', '-c', 'rm -f /data/end; while [ ! -e /data/end ]; do sleep 0.05; done; exit 3'];
const CREATE = ['create', '--stop-timeout', '0', ...SETTINGS, ...PROGRAM];
export const RUN = ['run', '-d', '--stop-timeout', '0', ...SETTINGS, ...PROGRAM];
const ELSEWHERE = ['run', '-d', '--name', 'box', '--stop-timeout', '0', 'alpine', 'sleep', '600'];

const [APART, MEMBER] = ['net[], box running', 'net[box], box running'];

/** `network`: the command that creates it. */
export const networkCommands = (network: readonly string[]): readonly Scenario[] => [
  { name: 'network create', before: [], command: network, may: ['', 'net[]'], done: 'net[]' },
  { name: 'network rm', before: [network], command: ['network', 'rm', 'net'], may: ['', 'net[]'], done: '' },
  {
    name: 'network connect',
    before: [network, ELSEWHERE],
    command: ['network', 'connect', 'net', 'box'],
    may: [APART, MEMBER],
    done: MEMBER,
  },
  {
    name: 'network disconnect',
    before: [network, RUN],
    command: ['network', 'disconnect', 'net', 'box'],
    may: [APART, MEMBER],
    done: APART,
  },
];

export const start = (network: readonly string[]): Scenario => ({
  name: 'start',
  before: [network, CREATE],
  command: ['start', 'box'],
  may: ['net[], box created', 'net[], box exited', MEMBER],
  done: MEMBER,
});

export const remove = (network: readonly string[]): Scenario => ({
  name: 'rm -f',
  before: [network, RUN],
  command: ['rm', '-f', 'box'],
  // removing: what a plugin has to be told of may take longer than its container
  may: [MEMBER, 'net[], box exited', 'net[], box removing', 'net[]'],
  done: 'net[]',
});

/** What of a container's life has nothing to do with the driver of its network. */
export const containerCommands = (network: readonly string[]): readonly Scenario[] => [
  {
    name: 'create',
    before: [network],
    command: CREATE,
    may: ['net[]', 'net[], box created'],
    done: 'net[], box created',
  },
  {
    name: 'the end of its program',
    before: [network, RUN],
    command: ['exec', 'box', 'touch', '/data/end'],
    may: ['net[], box exited'],
    done: 'net[], box exited',
    makes: '/data/end',
  },
  {
    name: 'stop',
    before: [network, RUN],
    command: ['stop', '-t', '0', 'box'],
    may: [MEMBER, 'net[], box exited'],
    done: 'net[], box exited',
  },
];
