/**
 * A client of the agent's RPC: MessagePack over TCP on the loopback, a header and perhaps a body for each answer
 * (serf/cmd/serf/command/agent/ipc.go). Invariant: what peers have put into names, tags and addresses is checked here.
 */
import { connect, type Socket } from 'node:net';
import * as z from 'zod';
import { internal, unavailable } from '../../errors.js';
import { formatAddress, shown } from '../../model/address.js';
import type { MemberState, Serf, SerfEvent, SerfMember, SerfProcess } from './contract.js';
import { type Packable, pack, unpack } from './msgpack.js';

/** milliseconds for an answer; those that ask all members, or try addresses that may be dead, take longer */
const LIMIT = { quick: 5_000, wide: 30_000 } as const;
/** A thousand members are some 300 kB. */
const LONGEST_ANSWER = 16 * 1_048_576;
/** Events that nobody has taken; whoever is so far behind asks for all members anew. */
const MOST_WAITING = 10_000;

const header = z.object({ Seq: z.number(), Error: z.string() });

/** Go's net.IP: 4 bytes, or 16 with an IPv4 address as `::ffff:a.b.c.d`. */
const address = z.union([z.instanceof(Buffer), z.string()]).transform((value, context) => {
  const bytes = Buffer.from(value);
  if (bytes.length === 4) return formatAddress({ family: 4, value: BigInt(bytes.readUInt32BE()) });
  const wide = bytes.length === 16 ? BigInt(`0x${bytes.toString('hex')}`) : undefined;
  if (wide === undefined) {
    context.addIssue({ code: 'custom', message: 'no address' });
    return z.NEVER;
  }
  return wide >> 32n === 0xffffn
    ? formatAddress({ family: 4, value: wide & 0xffffffffn })
    : formatAddress({ family: 6, value: wide });
});

const tagText = z.string().max(512);
const state = z.enum(['alive', 'leaving', 'left', 'failed']) satisfies z.ZodType<MemberState>;
const member = z
  .object({
    Name: z.string().regex(/^[\w.-]{1,128}$/),
    Addr: address,
    Port: z.number().int().min(1).max(65535),
    Tags: z.record(tagText, tagText).nullish(),
    Status: state,
  })
  .transform(
    ({ Name, Addr, Port, Tags, Status }): SerfMember => ({
      name: Name,
      address: Addr,
      port: Port,
      state: Status,
      tags: Tags ?? {},
    }),
  );

/** Whoever is not in form is left out; the others are not to suffer for it. */
const membersIn = (values: readonly unknown[]): readonly SerfMember[] =>
  values.flatMap((value) => {
    const { data } = member.safeParse(value);
    return data ? [data] : [];
  });

const list = z
  .array(z.unknown())
  .nullish()
  .transform((values) => membersIn(values ?? []));
const membersAnswer = z.object({ Members: list });
const joinAnswer = z.object({ Num: z.number() });
const keysAnswer = z.object({ Keys: z.record(z.string(), z.number()).nullish() });

const EVENTS = {
  'member-join': 'join',
  'member-leave': 'leave',
  'member-failed': 'failed',
  'member-update': 'update',
  'member-reap': 'reap',
} as const satisfies Readonly<Record<string, SerfEvent['type']>>;
const eventAnswer = z
  .object({ Event: z.enum(Object.keys(EVENTS) as [keyof typeof EVENTS]), Members: list })
  .transform(({ Event, Members }): SerfEvent => ({ type: EVENTS[Event], members: Members }));

interface Waiting {
  readonly command: string;
  /** an answer without it is complete with its header */
  readonly hasBody: boolean;
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Request {
  readonly command: string;
  readonly body?: Packable;
  readonly hasBody?: boolean;
  readonly limit?: number;
}

const opened = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const fail = (why: string, cause?: unknown): void => {
      clearTimeout(late);
      socket.destroy();
      reject(unavailable(`Serf cannot be reached: ${why}`, cause));
    };
    const late = setTimeout(() => fail('it takes no connection'), LIMIT.quick);
    socket.on('error', (error) => fail(error.message, error));
    socket.once('connect', () => {
      clearTimeout(late);
      resolve(socket.setNoDelay(true));
    });
  });

/** One connection, on which requests and answers are told apart by number. */
const talk = (socket: Socket) => {
  const waiting = new Map<number, Waiting>();
  const streams = new Map<number, (body: unknown) => void>();
  const leaving = new Set<() => void>();
  let broken: Error | undefined;
  let count = 0;
  let bytes = Buffer.alloc(0);
  /** whose body comes next */
  let current: number | undefined;

  const end = (error: Error): void => {
    broken ??= error;
    socket.destroy();
    for (const each of waiting.values()) each.reject(broken);
    waiting.clear();
    for (const leave of leaving) leave();
  };

  const onHeader = ({ Seq, Error: refusal }: z.infer<typeof header>): void => {
    current = undefined;
    const asked = waiting.get(Seq);
    if (refusal === '' && (asked ? asked.hasBody : streams.has(Seq))) {
      current = Seq;
      return;
    }
    waiting.delete(Seq);
    if (refusal === '') asked?.resolve(undefined);
    else asked?.reject(internal(`Serf refused ${asked.command}: ${shown(refusal)}`));
  };
  /** A body of nobody's is one behind a refusal. */
  const onBody = (body: unknown): void => {
    const seq = current;
    current = undefined;
    if (seq === undefined) return;
    const asked = waiting.get(seq);
    waiting.delete(seq);
    if (asked) asked.resolve(body);
    else streams.get(seq)?.(body);
  };
  const read = (): void => {
    for (let next = unpack(bytes); next; next = unpack(bytes)) {
      bytes = Buffer.from(next.rest);
      const { data } = header.safeParse(next.value);
      if (data) onHeader(data);
      else onBody(next.value);
    }
    if (bytes.length > LONGEST_ANSWER) throw internal('Serf’s answer is too long');
  };
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    try {
      read();
    } catch (error) {
      end(unavailable('Serf says what is not its protocol', error));
    }
  });
  socket.on('error', () => {}); // its close tells what matters
  socket.once('close', () => end(unavailable('the connection to Serf broke')));

  const send = (command: string, body?: Packable): number => {
    count += 1;
    socket.write(
      Buffer.concat([pack({ Command: command, Seq: count }), ...(body === undefined ? [] : [pack(body)])]),
    );
    return count;
  };
  const ask = ({ command, body, hasBody = false, limit = LIMIT.quick }: Request): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (broken) return reject(broken);
      const seq = send(command, body);
      const late = setTimeout(
        () => end(unavailable(`Serf did not answer ${command} within ${limit / 1000} s`)),
        limit,
      );
      const settled =
        <T>(settle: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(late);
          settle(value);
        };
      waiting.set(seq, { command, hasBody, resolve: settled(resolve), reject: settled(reject) });
    });

  /** Bodies of a stream, from its request on; `leave` when the connection ends. */
  const listen = async (
    command: string,
    body: Packable,
    take: (body: unknown) => void,
    leave: () => void,
  ) => {
    streams.set(count + 1, take); // the number that `ask` draws next
    const seq = count + 1;
    leaving.add(leave);
    await ask({ command, body });
    return {
      stop: () => {
        streams.delete(seq);
        leaving.delete(leave);
        if (!broken) ask({ command: 'stop', body: { Stop: seq } }).catch(() => {}); // it tells us nothing more either way
      },
    };
  };
  return { ask, listen, end, broken: () => broken };
};

const answerOf = <S extends z.ZodType>(schema: S, value: unknown, command: string): z.output<S> => {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw internal(`Serf answered ${command} wrongly`, result.error);
};

/** Throws unavailable where it cannot be reached, internal where it refuses us. */
export const connectSerf = async ({ port, secret }: SerfProcess['rpc']): Promise<Serf> => {
  const { ask, listen, end, broken } = talk(await opened(port));
  try {
    await ask({ command: 'handshake', body: { Version: 1 } });
    await ask({ command: 'auth', body: { AuthKey: secret } });
  } catch (error) {
    end(unavailable('it refused us'));
    throw error;
  }

  const members = async (): Promise<readonly SerfMember[]> =>
    answerOf(membersAnswer, await ask({ command: 'members', hasBody: true }), 'members').Members;

  async function* events(signal: AbortSignal): AsyncGenerator<SerfEvent> {
    const queue: SerfEvent[] = [];
    let wake = (): void => {};
    const leave = (): void => wake();
    const take = (body: unknown): void => {
      const { data } = eventAnswer.safeParse(body);
      if (data) queue.push(data);
      if (queue.length > MOST_WAITING) end(unavailable('Serf’s events were not read'));
      wake();
    };
    const stream = await listen('stream', { Type: Object.keys(EVENTS).join(',') }, take, leave);
    signal.addEventListener('abort', leave);
    try {
      yield { type: 'all', members: await members() };
      while (!signal.aborted) {
        const next = queue.shift();
        const error = broken();
        if (next) yield next;
        else if (error) throw error;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      signal.removeEventListener('abort', leave);
      stream.stop();
    }
  }

  const key = (command: string) => async (value: string) =>
    void (await ask({ command, body: { Key: value }, hasBody: true, limit: LIMIT.wide }));

  return {
    members,
    events,
    setTags: async (tags, remove = []) =>
      void (await ask({ command: 'tags', body: { Tags: tags, DeleteTags: remove } })),
    join: async (addresses) => {
      const body = { Existing: addresses, Replay: false };
      return answerOf(
        joinAnswer,
        await ask({ command: 'join', body, hasBody: true, limit: LIMIT.wide }),
        'join',
      ).Num;
    },
    leave: async () => void (await ask({ command: 'leave', limit: LIMIT.wide })),
    forceLeave: async (name) =>
      void (await ask({ command: 'force-leave', body: { Node: name }, limit: LIMIT.wide })),
    keys: async () => {
      const answer = await ask({ command: 'list-keys', hasBody: true, limit: LIMIT.wide });
      return new Map(Object.entries(answerOf(keysAnswer, answer, 'list-keys').Keys ?? {}));
    },
    installKey: key('install-key'),
    useKey: key('use-key'),
    removeKey: key('remove-key'),
    close: () => end(unavailable('the connection to Serf was closed')),
  };
};
