/**
 * Flows and meters of a bridge through its management socket, synchronously. Invariants: only flows with our cookie are
 * read or deleted; a run of steps that is refused leaves what was there before.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { internal } from '../errors.js';
import { same } from '../plan/equal.js';
import { matchText, type OvsFlowObject } from '../plan/objects.js';
import type { Step } from '../plan/plan.js';
import {
  type Answer,
  addFlow,
  addMeter,
  deleteFlow,
  deleteMeter,
  dumpFlows,
  dumpMeters,
  errorText,
  type FlowEntry,
  flowEntries,
  hasMore,
  type MeterEntry,
  message,
  meterEntries,
  OFPT,
  splitAnswers,
} from './openflow.js';
import { NoSuchPort, type PortNumbers } from './oxm.js';
import { type Patience, Stream, unlessSilent } from './stream.js';

const VERSION = 4;

/** One connection to a bridge. */
class Conversation {
  readonly #stream: Stream;
  #kept: Buffer = Buffer.alloc(0);
  #xid = 100;

  constructor(path: string, deadline: number) {
    this.#stream = new Stream(path, deadline);
    this.#stream.write(message(OFPT.HELLO, 1));
    for (let hello = false; !hello; )
      for (const answer of this.#answers()) {
        if (answer.type === OFPT.ERROR || (answer.type === OFPT.HELLO && answer.version < VERSION))
          throw internal(`${path} speaks no OpenFlow 1.3: set bridge protocols=OpenFlow10,OpenFlow13`);
        hello ||= answer.type === OFPT.HELLO;
      }
  }

  /** Sends what `messages` make of their numbers, and waits until all is done. Answers in order; throws the first refusal. */
  exchange(messages: readonly ((xid: number) => Buffer)[]): readonly Answer[] {
    const numbered = messages.map((make) => make(this.#next()));
    const barrier = this.#next();
    this.#stream.write(Buffer.concat([...numbered, message(OFPT.BARRIER_REQUEST, barrier)]));
    const found: Answer[] = [];
    for (let done = false; !done; )
      for (const answer of this.#answers()) {
        if (answer.type === OFPT.BARRIER_REPLY && answer.xid === barrier) done = true;
        else if (answer.type === OFPT.ECHO_REQUEST)
          this.#stream.write(message(OFPT.ECHO_REPLY, answer.xid, Buffer.from(answer.body)));
        else found.push({ ...answer, body: Buffer.from(answer.body) });
      }
    const refused = found.find((a) => a.type === OFPT.ERROR);
    if (refused) throw internal(`Open vSwitch refused a flow: ${errorText(refused)}`);
    return found;
  }

  close(): void {
    this.#stream.close();
  }

  #next(): number {
    this.#xid += 1;
    return this.#xid;
  }

  #answers(): readonly Answer[] {
    const { answers, rest } = splitAnswers(Buffer.concat([this.#kept, this.#stream.read()]));
    this.#kept = Buffer.from(rest);
    return answers;
  }
}

interface Held {
  readonly entries: readonly FlowEntry[];
  readonly meters: readonly MeterEntry[];
}

const isMultipart = (a: Answer): boolean => a.type === OFPT.MULTIPART_REPLY && a.body.length >= 8;

const read = (conversation: Conversation, ports: PortNumbers): Held => {
  const flows = conversation.exchange([dumpFlows]).filter(isMultipart);
  const meters = conversation.exchange([dumpMeters]).filter(isMultipart);
  if (flows.length === 0 || flows.some((a, i) => hasMore(a) !== i < flows.length - 1))
    throw internal('Open vSwitch told of its flows by halves');
  return {
    entries: flows.flatMap((a) => flowEntries(a, ports)),
    meters: meters.flatMap(meterEntries),
  };
};

const objectOf = (bridge: string, e: FlowEntry, meters: ReadonlyMap<number, MeterEntry>): OvsFlowObject => {
  const { table, priority, cookie, match } = e;
  const meter = e.meter === undefined ? undefined : meters.get(e.meter);
  return {
    kind: 'ovs-flow',
    bridge,
    table,
    priority,
    cookie,
    match,
    ...(meter ? { meter: { kbps: meter.kbps, burst: meter.burst } } : {}),
    action: e.action as OvsFlowObject['action'], // or a text that equals none of ours
  };
};

/** The same but for the port, which may be gone, or have another number by now. */
const isFlow = (o: OvsFlowObject, e: FlowEntry): boolean => {
  const { in_port: _o, ...wanted } = o.match;
  const { in_port: _e, ...found } = e.match;
  return e.table === o.table && e.priority === o.priority && e.cookie === o.cookie && same(wanted, found);
};

/** Meters that no flow uses are free; numbers start high, to be out of the way of a user's own. */
const FIRST_METER = 1_000;
const LAST_METER = 60_000;

const freeMeters = function* (meters: readonly MeterEntry[]): Generator<number, number> {
  const taken = new Set(meters.map((m) => m.id));
  for (let id = FIRST_METER; id < LAST_METER; id += 1) if (!taken.has(id)) yield id;
  throw internal('the bridge has no meter left');
};

type FlowStep = Step<OvsFlowObject>;

export class Flows {
  constructor(
    private readonly runDirectory: string,
    private readonly patience: Patience,
    /** the bridge's ports as they are now */
    private readonly numbers: (bridge: string) => PortNumbers,
  ) {}

  /** Ours on the bridge; none where there is no such bridge. */
  of(bridge: string, ports: PortNumbers): readonly OvsFlowObject[] {
    const path = this.#path(bridge);
    if (!existsSync(path)) return [];
    const { entries, meters } = this.#talk(path, (c) => read(c, ports));
    const byId = new Map(meters.map((m) => [m.id, m]));
    return entries.map((e) => objectOf(bridge, e, byId));
  }

  /** All of one bridge go together. */
  run(steps: readonly FlowStep[]): void {
    const done: FlowStep[] = [];
    for (const bridge of new Set(steps.map((s) => s.object.bridge))) {
      const some = steps.filter((s) => s.object.bridge === bridge);
      try {
        this.#change(bridge, some);
        done.push(...some);
      } catch (error) {
        const added = [...done, ...some].filter((s) => s.op === 'create');
        this.#forget(added.map(({ object }) => ({ op: 'delete', object })));
        throw error;
      }
    }
  }

  #change(bridge: string, steps: readonly FlowStep[]): void {
    const deletes = steps.filter((s) => s.op === 'delete');
    if (deletes.length === steps.length) this.#forget(steps);
    else
      this.#talk(this.#path(bridge), (c) => {
        const ports = this.numbers(bridge);
        const held = read(c, ports);
        const gone = unneeded(held, steps);
        const meters = freeMeters(held.meters);
        const added = steps.flatMap(({ op, object }) =>
          op === 'delete' ? [] : adding(object, ports, meters),
        );
        c.exchange([...added, ...removals(gone)]);
      });
  }

  /** Gone is success, and so is a bridge that is gone or silent: with it its flows went, or will be looked at again. */
  #forget(steps: readonly FlowStep[]): void {
    for (const bridge of new Set(steps.map((s) => s.object.bridge))) {
      const path = this.#path(bridge);
      if (!existsSync(path)) continue;
      unlessSilent(() =>
        this.#talk(path, (c) => {
          const held = read(c, { numberOf: () => undefined, nameOf: () => undefined });
          c.exchange(removals(unneeded(held, steps)));
        }),
      );
    }
  }

  #path(bridge: string): string {
    return join(this.runDirectory, `${bridge}.mgmt`);
  }

  #talk<T>(path: string, work: (c: Conversation) => T): T {
    return this.patience.attempt((deadline) => {
      const conversation = new Conversation(path, deadline);
      try {
        return work(conversation);
      } finally {
        conversation.close();
      }
    });
  }
}

/** What of the bridge's flows the steps delete, or put another in place of. */
const unneeded = (
  { entries }: Held,
  steps: readonly FlowStep[],
): readonly (FlowEntry & { replaced: boolean })[] =>
  entries.flatMap((e) => {
    const step = steps.find(({ op, object }) => op !== 'create' && isFlow(object, e));
    const replaced = step?.op === 'replace' && same(e.match, step.object.match);
    return step ? [{ ...e, replaced }] : [];
  });

/** A flow that is replaced is overwritten; the meter it had goes after it. */
const removals = (
  gone: readonly (FlowEntry & { replaced: boolean })[],
): readonly ((xid: number) => Buffer)[] => [
  ...gone.filter((e) => !e.replaced).map((e) => (xid: number) => deleteFlow(xid, e)),
  ...gone.flatMap(({ meter }) => (meter === undefined ? [] : [(xid: number) => deleteMeter(xid, meter)])),
];

const adding = (
  o: OvsFlowObject,
  ports: PortNumbers,
  meters: Iterator<number, number>,
): readonly ((xid: number) => Buffer)[] => {
  const { meter } = o;
  const id = meter ? meters.next().value : undefined;
  const flow = (xid: number): Buffer => {
    try {
      return addFlow(xid, o, ports, id);
    } catch (error) {
      if (error instanceof NoSuchPort)
        throw internal(`${error.message} on ${o.bridge} for ${matchText(o.match)}`);
      throw error;
    }
  };
  return meter && id !== undefined ? [(xid) => addMeter(xid, id, meter), flow] : [flow];
};
