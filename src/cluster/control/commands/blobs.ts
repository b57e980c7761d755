/** Secrets and configs, which differ in little: what becomes of their records, or why it is refused, in swarmkit's words. */
import type { Blob } from '../../../model/swarm/cluster.js';
import { unwritten } from '../../../model/swarm/kept.js';
import { keyOf } from '../../../model/swarm/records.js';
import { checkTemplate, TemplateError } from '../../../template/index.js';
import { outOfSequence, rpcError } from '../../rpc.js';
import type { Unit } from '../draft.js';
import type { ClusterState } from '../state.js';
import { type CommandView, unitOf } from './view.js';

export type BlobKind = 'secret' | 'config';

/** What its user gives; `data`: bytes. */
export interface BlobWish extends Pick<Blob, 'name' | 'labels' | 'templating'> {
  readonly data: Buffer;
}

/** Swarmkit's: bytes, which are one too many. */
const TOO_MANY: Readonly<Record<BlobKind, number>> = { secret: 500 * 1024, config: 1000 * 1024 };
const LONGEST_NAME = 64;
const NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9-_.]*[a-zA-Z0-9])?$/;

/** What is wrong with the words of a template is known before any task wants it. */
const checkTemplated = (kind: BlobKind, data: Buffer): void => {
  try {
    checkTemplate(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch (error) {
    const why = error instanceof TemplateError ? error.message : 'it is no text in UTF-8';
    throw rpcError('InvalidArgument', `the template of the ${kind} is not in order: ${why}`);
  }
};

const check = (kind: BlobKind, { name, data, templating }: BlobWish): void => {
  if (name === '') throw rpcError('InvalidArgument', 'name must be provided');
  if (name.length > LONGEST_NAME || !NAME.test(name))
    throw rpcError(
      'InvalidArgument',
      'invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]',
    );
  if (data.length < 1 || data.length >= TOO_MANY[kind])
    throw rpcError(
      'InvalidArgument',
      `${kind} data must be larger than 0 and less than ${TOO_MANY[kind]} bytes`,
    );
  if (templating) checkTemplated(kind, data);
};

/** `kept`: what of its data goes into the record with this id. */
export const createBlob = (
  view: CommandView,
  kind: BlobKind,
  wish: BlobWish,
  kept: (id: string, data: Buffer) => string,
): { readonly id: string; readonly unit: Unit } => {
  const { state, now, newId } = view;
  check(kind, wish);
  const name = `${kind}/${wish.name}`;
  if (state.get('name', name)) throw rpcError('AlreadyExists', `${kind} ${wish.name} already exists`);
  const id = newId();
  const blob: Blob = {
    ...unwritten(now),
    id,
    name: wish.name,
    labels: wish.labels,
    data: kept(id, wish.data),
    ...(wish.templating ? { templating: wish.templating } : {}),
    createdAt: now,
    updatedAt: now,
  };
  const unit = unitOf(view, [
    [kind, blob],
    ['name', { ...unwritten(now), id: name, owner: keyOf(kind, id) }],
  ]);
  return { id, unit };
};

const found = (state: ClusterState, kind: BlobKind, id: string): Blob => {
  const blob = state.get(kind, id);
  if (!blob) throw rpcError('NotFound', `${kind} ${id} not found`);
  return blob;
};

/** Labels alone. `same`: the data given is that of the record; `version`: the one that the user has seen. */
export const updateBlob = (
  view: CommandView,
  kind: BlobKind,
  { id, version, name, labels }: Pick<Blob, 'id' | 'version' | 'name' | 'labels'>,
  same: (blob: Blob) => boolean,
): Unit => {
  const blob = found(view.state, kind, id);
  if (blob.name !== name || !same(blob))
    throw rpcError('InvalidArgument', 'only updates to Labels are allowed');
  if (blob.version !== version) throw outOfSequence();
  return unitOf(view, [[kind, { ...blob, labels, updatedAt: view.now }]]);
};

export const removeBlob = (view: CommandView, kind: BlobKind, id: string): Unit => {
  const { state } = view;
  const blob = found(state, kind, id);
  const field = kind === 'secret' ? 'secrets' : 'configs';
  const users = [...state.all('service').values()].filter(({ spec }) =>
    spec.task[field].some((reference) => reference.id === id),
  );
  if (users.length > 0)
    throw rpcError(
      'InvalidArgument',
      `${kind} '${blob.name}' is in use by the following ${users.length === 1 ? 'service' : 'services'}: ${users.map(({ spec }) => spec.name).join(', ')}`,
    );
  const name = state.get('name', `${kind}/${blob.name}`);
  return unitOf(view, [[kind, blob, 'remove'], ...(name ? [['name', name, 'remove'] as const] : [])]);
};
