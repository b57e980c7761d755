/** `docker build` with the classic builder; what belongs to BuildKit is refused in words a user can act on. */
import type { BuildRequest, Tell } from '../../engine/build/contract.js';
import { notImplemented } from '../../errors.js';
import type { Exchange } from '../http/exchange.js';
import { answers, drained, sendProgress } from '../http/reply.js';
import { route } from '../http/router.js';
import { readBuild } from '../read/build.js';
import { flag } from '../read/query.js';
import type { Answer } from '../schema/answer.js';

type Line = Parameters<Tell>[0];

/** Nothing is told before the end, when it is the image's id; a failure is told with all that led to it. */
const buildQuietly = async (
  exchange: Exchange,
  request: BuildRequest,
  progress: (line: Line) => void,
): Promise<void> => {
  const told: Line[] = [];
  try {
    const id = await exchange.engine.builds.build(request, (line) => void told.push(line), exchange.gone);
    progress({ stream: `${id}\n` });
  } catch (failure) {
    for (const line of told) progress(line);
    throw failure;
  }
};

const build = async (exchange: Exchange): Promise<void> => {
  const request = readBuild(exchange);
  await sendProgress(exchange, async (progress) => {
    // Machine-readable results came with API 1.30; older clients would print them.
    const shown = (line: Line): void => {
      if (exchange.minor >= 30 || !('aux' in line)) progress(line);
    };
    if (flag(exchange, 'q')) return buildQuietly(exchange, request, shown);
    const tell: Tell = (line) => {
      shown(line);
      return drained(exchange);
    };
    await exchange.engine.builds.build(request, tell, exchange.gone);
  });
};

const refuse = (): never => {
  throw notImplemented('BuildKit is not supported by this daemon: set DOCKER_BUILDKIT=0 and build again');
};

export const BUILD_ROUTES = [
  route('POST', '/build', build),
  // What the cache knows is small and has no ids; the layers are the images'.
  answers<Answer<'BuildPruneResponse'>>('POST', '/build/prune', ({ engine }) => ({
    CachesDeleted: null,
    SpaceReclaimed: engine.images.clearBuildCache(),
  })),
  route('POST', '/build/cancel', refuse),
  route('POST', '/session', refuse),
  route('POST', '/grpc', refuse),
];
