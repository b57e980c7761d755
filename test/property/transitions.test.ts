/**
 * K9: commands on a container, in any order, with a daemon that dies between any two steps, and one step half-done at that.
 * The machine below is what the steps of transitions.ts do to a record and to a process, each in its smallest form.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Command,
  type Found,
  type Phase,
  type Settlement,
  type Step,
  settle,
  TRANSITIONS,
} from '../../src/engine/containers/transitions.js';
import type { ContainerStatus } from '../../src/model/container.js';

/** A machine with one container on it. */
interface Machine {
  /** null: there is no record */
  status: ContainerStatus | null;
  /** it holds a sandbox */
  holds: boolean;
  process: 'none' | 'running' | 'frozen';
  starting: boolean;
  readonly leaves: boolean;
}

class Died extends Error {}

/** Counts down to the daemon's death; asked before each of the smallest steps. */
type Clock = () => void;
const clock = (steps: number): Clock => {
  let left = steps;
  return () => {
    if (left === 0) throw new Died();
    left -= 1;
  };
};

const finish = (m: Machine, tick: Clock): void => {
  tick();
  m.process = 'none';
  tick();
  [m.status, m.holds] = ['exited', false];
};

const DO: Readonly<Record<Step, (m: Machine, tick: Clock) => void>> = {
  // A start that nobody gives up comes to its end, and one that was given up to nothing.
  'wait-turn': (m, tick) => {
    if (m.starting) DO.launch(m, tick);
  },
  'give-up-start': (m, tick) => {
    tick();
    [m.starting, m.process] = [false, 'none'];
    tick();
    if (m.holds) [m.status, m.holds] = ['exited', false];
  },
  'cancel-restart': () => {},
  'note-stopped': (_, tick) => tick(),
  'note-paused': (m, tick) => {
    tick();
    m.status = 'paused';
  },
  'note-running': (m, tick) => {
    tick();
    m.status = 'running';
  },
  'note-exited': (m, tick) => {
    tick();
    m.status = 'exited';
  },
  freeze: (m, tick) => {
    tick();
    if (m.process !== 'none') m.process = 'frozen';
  },
  thaw: (m, tick) => {
    tick();
    if (m.process !== 'none') m.process = 'running';
  },
  end: (m, tick) => {
    // A frozen process hears no signal: who waits for its end would wait for ever.
    expect(m.process).not.toBe('frozen');
    finish(m, tick);
  },
  'end-staying': (m, tick) => DO.end(m, tick),
  signal: (m, tick) => {
    if (m.status === 'paused') {
      DO['note-running'](m, tick);
      DO.thaw(m, tick);
    }
    DO.end(m, tick);
  },
  'kill-surely': finish,
  launch: (m, tick) => {
    m.starting = true;
    tick();
    m.holds = true;
    tick();
    m.process = 'running';
    tick();
    [m.status, m.starting] = ['running', false];
  },
  erase: (m, tick) => {
    // Whose process lives is not forgotten.
    expect(m.process).toBe('none');
    tick();
    m.status = 'removing';
    tick();
    [m.status, m.holds] = [null, false];
  },
};

const phase = (m: Machine): Phase => (m.starting ? 'starting' : (m.status ?? 'exited'));

/** As Lifecycle does it. True where it was refused. */
const command = (m: Machine, asked: Command, tick: Clock): boolean => {
  for (;;) {
    if (m.status === null) return true;
    const answer = TRANSITIONS[phase(m)][asked];
    if (typeof answer === 'function') {
      expect(answer('id', 'name').message).not.toBe('');
      return true;
    }
    for (const step of answer) DO[step](m, tick);
    if (answer.at(-1) !== 'wait-turn') return false;
  }
};

const found = (m: Machine): Found => (m.process === 'none' ? 'nothing' : m.process);

const SETTLE: Readonly<Record<Settlement, (m: Machine, tick: Clock) => void>> = {
  erase: DO.erase,
  freeze: DO.freeze,
  thaw: DO.thaw,
  finish,
};

const restore = (m: Machine, tick: Clock): void => {
  m.starting = false;
  if (m.status === null) return;
  for (const step of settle(m.status, found(m), m)) SETTLE[step](m, tick);
};

/** What a user may rely on when the daemon is up and nothing is under way. */
const consistent = (m: Machine): void => {
  if (m.status === 'running') expect(m.process).toBe('running');
  else if (m.status === 'paused') expect(m.process).toBe('frozen');
  else expect(m.process).toBe('none');
  expect(m.status).not.toBe('removing');
};

const COMMANDS = Object.keys(TRANSITIONS.running) as Command[]; // the table's own keys
const STATES: readonly (ContainerStatus | null)[] = [
  'created',
  'running',
  'paused',
  'restarting',
  'removing',
  'exited',
  'dead',
];

/** A command, the number of smallest steps after which the daemon dies, and after how many it dies again while it settles. */
const life = fc.record({
  asked: fc.constantFrom(...COMMANDS),
  dies: fc.option(fc.nat(8), { nil: undefined }),
  again: fc.option(fc.nat(2), { nil: undefined }),
});

const alive = (work: (tick: Clock) => void, dies: number | undefined): boolean => {
  try {
    work(dies === undefined ? () => {} : clock(dies));
    return true;
  } catch (error) {
    if (error instanceof Died) return false;
    throw error;
  }
};

const live = (
  m: Machine,
  { asked, dies, again }: { asked: Command; dies?: number; again?: number },
): void => {
  if (alive((tick) => void command(m, asked, tick), dies)) return;
  alive((tick) => restore(m, tick), again);
  restore(m, () => {});
};

describe('K9 every state can be left, whenever the daemon dies', () => {
  test('after any commands and deaths record and process agree, and rm -f ends in absence', () => {
    fc.assert(
      fc.property(fc.array(life, { maxLength: 12 }), fc.boolean(), (lives, leaves) => {
        const m: Machine = { status: 'created', holds: false, process: 'none', starting: false, leaves };
        for (const each of lives) {
          live(m, each as Parameters<typeof live>[1]); // fast-check's `nil: undefined` is wider than an absent key
          if (m.status !== null) consistent(m);
          else expect(m.process).toBe('none');
        }
        command(m, 'force-remove', () => {});
        expect([m.status, m.process, m.holds]).toEqual([null, 'none', false]);
      }),
      { numRuns: 2_000 },
    );
  });

  test('from states that nothing leads to as well: settled at a start, then removed', () => {
    for (const status of STATES)
      for (const process of ['none', 'running', 'frozen'] as const)
        for (const holds of [true, false])
          for (const leaves of [true, false]) {
            // Without a sandbox there never was a process; the runtime takes such strays away by itself.
            if (!holds && process !== 'none') continue;
            if (status === 'removing' && process !== 'none') continue;
            const m: Machine = { status, process, holds, starting: false, leaves };
            restore(m, () => {});
            if (m.status !== null) consistent(m);
            command(m, 'force-remove', () => {});
            expect([m.status, m.process]).toEqual([null, 'none']);
          }
  });

  test('U10 what was to remove itself is gone after the next start, in whichever moment the daemon died', () => {
    for (const status of ['exited', 'removing', 'running', 'created'] as const) {
      const m: Machine = {
        status,
        process: 'none',
        holds: status === 'running',
        starting: false,
        leaves: true,
      };
      restore(m, () => {});
      restore(m, () => {});
      expect(m.status).toBeNull();
    }
  });

  test('a start under way gives way to rm -f, and to nobody else', () => {
    const answers = Object.entries(TRANSITIONS.starting).filter(
      ([, answer]) => typeof answer !== 'function' && answer.includes('give-up-start'),
    );
    expect(answers.map(([asked]) => asked)).toEqual(['force-remove']);
  });

  test('each command is refused in words where it is, and the words name the container', () => {
    for (const [status, row] of Object.entries(TRANSITIONS))
      for (const [asked, answer] of Object.entries(row))
        if (typeof answer === 'function' && !/^(start|stop|restart)$/.test(asked))
          expect(`${status} ${asked}: ${answer('the-id', 'the-name').message}`).toMatch(/the-(id|name)/);
  });
});
