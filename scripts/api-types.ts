/**
 * Writes src/api/schema/moby.ts: the shapes of the API's answers, from moby's Swagger file of the version that we serve.
 *
 *     npx tsx scripts/api-types.ts moby/api/docs/v1.52.yaml > src/api/schema/moby.ts
 *
 * Only names and types are taken, of the definitions in ROOTS and of what they refer to; no sentence of moby's.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

/** What we answer with, by its name in the file: a definition's, or the title of a schema among the paths. */
const ROOTS = [
  ...['ContainerInspectResponse', 'ContainerSummary', 'ContainerCreateResponse', 'ContainerUpdateResponse'],
  ...['ContainerStatsResponse', 'ContainerTopResponse', 'ContainerWaitResponse', 'ContainerPruneResponse'],
  ...['FilesystemChange', 'ExecInspectResponse', 'IDResponse', 'EventMessage'],
  ...['NetworkSummary', 'NetworkInspect', 'NetworkCreateResponse', 'NetworkPruneResponse'],
  ...['ImageSummary', 'ImageInspect', 'ImageHistoryResponseItem', 'ImageDeleteResponseItem'],
  ...['ImagePruneResponse', 'BuildPruneResponse', 'Volume', 'VolumeListResponse', 'VolumePruneResponse'],
  ...['Node', 'Swarm', 'Service', 'ServiceCreateResponse', 'ServiceUpdateResponse'],
  ...['Task', 'Secret', 'Config'],
  ...['SystemInfo', 'SystemVersion', 'SystemDataUsageResponse', 'ErrorResponse'],
];
/** Kinds of objects that no answer of ours holds: named here, their whole families stay out. */
const ABSENT = ['OCIDescriptor', 'ImageManifestSummary', 'ServiceInfo', 'ClusterVolume'];
/** Of what is shown as its user wrote it, and of what the file describes by another object, nothing is said. */
const UNSAID = ['ServiceSpec', 'TaskSpec', 'Network'];

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly title?: string;
  readonly enum?: readonly unknown[];
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly 'x-nullable'?: boolean;
  readonly 'x-omitempty'?: boolean;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** Every schema of the paths that has a title. */
const titled = (value: unknown): [string, Schema][] => {
  if (!isObject(value)) return [];
  const below = Object.values(value).flatMap(titled);
  return typeof value.title === 'string' && isObject(value.properties)
    ? [[value.title, value], ...below]
    : below;
};

const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1);

const [path = ''] = process.argv.slice(2);
const file: { readonly paths: unknown; readonly definitions: Readonly<Record<string, Schema>> } = parse(
  readFileSync(path, 'utf8'),
);
const all = new Map([...titled(file.paths), ...Object.entries(file.definitions)]);
/** in the order in which they are met; grows while it is walked */
const wanted = new Set(ROOTS);

const schemaOf = (name: string): Schema => {
  const found = all.get(name);
  if (!found) throw new Error(`${path} has no ${name}`);
  return found;
};

/** Properties of a schema and of those that it is made of. */
const propertiesOf = (schema: Schema): Readonly<Record<string, Schema>> => ({
  ...Object.assign({}, ...(schema.allOf ?? []).map(propertiesOf)),
  ...(schema.$ref === undefined ? {} : propertiesOf(schemaOf(nameOf(schema.$ref)))),
  ...schema.properties,
});

const refer = (name: string): string => {
  if (ABSENT.includes(name)) return 'never';
  if (UNSAID.includes(name)) return 'object';
  const { type = 'object', allOf, properties } = schemaOf(name);
  // Names of plain texts and numbers say nothing that their types do not.
  if (!allOf && !properties && type !== 'object') return plainTypeOf(schemaOf(name));
  wanted.add(name);
  return `Answer<C, '${name}'>`;
};

const listOf = (item: string): string => (item.startsWith('never') ? 'never' : `readonly (${item})[]`);

const plainTypeOf = (schema: Schema): string => {
  if (schema.$ref !== undefined) return refer(nameOf(schema.$ref));
  if (schema.allOf?.length === 1 && !schema.properties) return typeOf(schema.allOf[0] ?? {});
  if (schema.properties || schema.allOf) return membersOf(propertiesOf(schema));
  if (schema.type === 'array') return listOf(typeOf(schema.items ?? {}));
  if (schema.type === 'boolean') return 'boolean';
  if (schema.type === 'integer' || schema.type === 'number') return 'number';
  if (schema.type === 'string')
    return schema.enum?.map((word) => `'${String(word)}'`).join(' | ') ?? 'string';
  if (schema.enum) return 'object';
  if (isObject(schema.additionalProperties))
    return `Readonly<Record<string, ${typeOf(schema.additionalProperties)}>>`;
  return schema.type === 'object' ? 'object' : 'unknown';
};

/** Go writes a list or a map that nobody made as null. */
const isNilable = (schema: Schema): boolean => {
  const meant = schema.$ref === undefined ? schema : schemaOf(nameOf(schema.$ref));
  return meant.type === 'array' || isObject(meant.additionalProperties);
};

const typeOf = (schema: Schema): string => {
  const plain = plainTypeOf(schema);
  return isOptional(schema) || isNilable(schema) ? `${plain} | null` : plain;
};

/** What is nullable may be left out as well: Swagger 2 has one word for both. */
const isOptional = (schema: Schema): boolean =>
  schema['x-nullable'] === true || schema['x-omitempty'] === true;

const memberOf = ([name, schema]: [string, Schema]): string => {
  const type = typeOf(schema);
  if (type.startsWith('never')) return `readonly ${name}?: undefined;`;
  return isOptional(schema) ? `readonly ${name}?: ${type} | undefined;` : `readonly ${name}: ${type};`;
};

const membersOf = (properties: Readonly<Record<string, Schema>>): string =>
  `{ ${Object.entries(properties).map(memberOf).join('\n')} }`;

const lines: string[] = [];
for (const name of wanted) {
  const schema = schemaOf(name);
  const properties = propertiesOf(schema);
  lines.push(`${name}: ${Object.keys(properties).length > 0 ? membersOf(properties) : plainTypeOf(schema)};`);
}
console.log(`/** Shapes of the Docker Engine API's answers. Written by scripts/api-types.ts: do not edit. */

/** A definition; \`C\`: what of it is otherwise (answer.ts). */
export type Answer<C, Name extends keyof Definitions<C>> = Name extends keyof C
  ? Omit<Definitions<C>[Name], keyof C[Name]> & C[Name]
  : Definitions<C>[Name];

export interface Definitions<C> {
${lines.join('\n')}
}`);
