/** `docker build` with the classic builder; what belongs to BuildKit is refused in words a user can act on. */
import { notImplemented } from '../../errors.js';
import type { Exchange } from '../http/exchange.js';
import { sendJson, sendProgress } from '../http/reply.js';
import { route } from '../http/router.js';
import { readBuild } from '../read/build.js';

async function build(exchange: Exchange): Promise<void> {
  const request = readBuild(exchange);
  await sendProgress(exchange, async (progress) => {
    await exchange.engine.images.build(
      request,
      (line) => {
        // Machine-readable results came with API 1.30; older clients would print them.
        if (exchange.minor >= 30 || !('aux' in line)) progress(line);
      },
      exchange.gone,
    );
  });
}

const refuse = (): never => {
  throw notImplemented('BuildKit is not supported by this daemon: set DOCKER_BUILDKIT=0 and build again');
};

export const BUILD_ROUTES = [
  route('POST', '/build', build),
  route('POST', '/build/prune', (exchange) => {
    // The builder keeps its layers as images; there is no cache beside them.
    sendJson(exchange, 200, { CachesDeleted: null, SpaceReclaimed: 0 });
  }),
  route('POST', '/build/cancel', refuse),
  route('POST', '/session', refuse),
  route('POST', '/grpc', refuse),
];
