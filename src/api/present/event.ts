/** Events as JSON lines. Pure. */
import type { EngineEvent } from '../../model/events.js';

/** Until API 1.51 containers' and images' events repeat themselves in fields that old clients need. */
export function presentEvent(event: EngineEvent, minor: number): string {
  const { type, action, actor } = event;
  const legacy = minor < 52 && (type === 'container' || type === 'image');
  const fields = {
    ...(legacy ? { status: action, id: actor.id } : {}),
    ...(legacy && type === 'container' ? { from: actor.attributes.image ?? '' } : {}),
    Type: type,
    Action: action,
    Actor: { ID: actor.id, Attributes: actor.attributes },
    scope: 'local',
    time: Number(event.timeNano / 1_000_000_000n),
  };
  // Nanoseconds do not fit a JavaScript number.
  return `${JSON.stringify(fields).slice(0, -1)},"timeNano":${event.timeNano}}\n`;
}
