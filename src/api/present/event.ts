/** Events as JSON lines. Pure. */
import type { EngineEvent } from '../../model/events.js';
import type { Answer } from '../schema/answer.js';

/**
 * Containers' and images' events repeat themselves in `status`, `id` and `from`. Docker leaves those out from API 1.52 on;
 * docker-compose 1.29 asks for the newest version and fails without `id`, so here every version has them.
 */
export const presentEvent = (event: EngineEvent): string => {
  const { type, action, actor } = event;
  const legacy = type === 'container' || type === 'image';
  const fields: Omit<Answer<'EventMessage'>, 'timeNano'> = {
    status: legacy ? action : undefined,
    id: legacy ? actor.id : undefined,
    from: type === 'container' ? (actor.attributes.image ?? '') : undefined,
    Type: type,
    Action: action,
    Actor: { ID: actor.id, Attributes: actor.attributes },
    scope: event.scope ?? 'local',
    time: Number(event.timeNano / 1_000_000_000n),
  };
  // Nanoseconds do not fit a JavaScript number.
  return `${JSON.stringify(fields).slice(0, -1)},"timeNano":${event.timeNano}}\n`;
};
