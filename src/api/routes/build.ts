/** `docker build` with the classic builder; what belongs to BuildKit is refused in words a user can act on. */
import { notImplemented } from '../../errors.js';
import { shortId } from '../../model/ids.js';
import type { Exchange } from '../http/exchange.js';
import { sendJson, sendProgress } from '../http/reply.js';
import { route } from '../http/router.js';
import { readBuild } from '../read/build.js';

async function build(exchange: Exchange): Promise<void> {
  const request = readBuild(exchange);
  await sendProgress(exchange, async (progress) => {
    const id = await exchange.engine.images.build(
      request,
      // Quiet: nothing but the id, and what went wrong.
      request.quiet ? () => {} : progress,
      exchange.gone,
    );
    if (request.quiet) {
      progress({ stream: `${id}\n` });
      return;
    }
    if (exchange.minor >= 30) progress({ aux: { ID: id } });
    // Compose reads the image's id from this very line.
    progress({ stream: `Successfully built ${shortId(id.replace(/^sha256:/, ''))}\n` });
    for (const tag of request.tags) {
      progress({ stream: `Successfully tagged ${/:[^/]+$/.test(tag) ? tag : `${tag}:latest`}\n` });
    }
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
