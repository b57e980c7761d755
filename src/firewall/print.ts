/** The ruleset as nft text, as `nft -f` reads it: for people, goldens and a check against nft itself. */
import type {
  Chain,
  CountedChains,
  DataType,
  PortChains,
  Rule,
  SetDeclaration,
  Statement,
  Table,
} from './language.js';

const concatenated = (fields: readonly string[]): string => fields.join(' . ');
const compared = (op: string): string => (op === '!=' ? '!= ' : '');

const printStatement = (statement: Statement): string => {
  switch (statement.is) {
    case 'match':
      return `${printField(statement.field)} ${compared(statement.op)}${statement.value}`;
    case 'bits':
      return `${printField(statement.field)} & (${statement.mask.replaceAll(',', ' | ')}) ${statement.op} 0`;
    case 'lookup':
      return `${concatenated(statement.fields.map(printField))} ${compared(statement.op)}@${statement.set}`;
    case 'vmap':
      return `${concatenated(statement.fields.map(printField))} vmap @${statement.map}`;
    case 'jump':
    case 'goto':
      return `${statement.is} ${statement.chain}`;
    case 'dnat':
    case 'snat': {
      const ip = statement.family === 4 ? 'ip' : 'ip6';
      const target = statement.port ? 'addr . port ' : '';
      const lot = statement.among === undefined ? [] : [`numgen random mod ${statement.among || '$count'}`];
      return `${statement.is} ${ip} ${target}to ${concatenated([...statement.fields.map(printField), ...lot])} map @${statement.map}`;
    }
    case 'dnat-port':
      return `dnat to :${concatenated(statement.fields.map(printField))} map @${statement.map}`;
    case 'write':
      return `${printField(statement.field)} set ${statement.value}`;
    case 'write-from':
      return `${printField(statement.field)} set ${concatenated(statement.fields.map(printField))} map @${statement.map}`;
    case 'copy':
      return `${printField(statement.to)} set ${printField(statement.from)}`;
    case 'learn':
      return `update @${statement.set} { ${concatenated(statement.fields.map(printField))} }`;
    case 'reject':
      return statement.reset ? 'reject with tcp reset' : 'reject';
    case 'counter':
    case 'accept':
    case 'drop':
    case 'return':
    case 'masquerade':
    case 'notrack':
      return statement.is;
  }
};

/** Fields that nft has no name for are written as raw payload: base, offset and length in bits. */
const RAW: Readonly<Record<string, string>> = {
  'arp format': '@nh,0,48',
  'ether daddr 0-1': '@ll,0,16',
  'ether daddr 2-5': '@ll,16,32',
  'ether saddr 0-1': '@ll,48,16',
  'ether saddr 2-5': '@ll,64,32',
  'ether saddr 4-5': '@ll,80,16',
};
const printField = (field: string): string => RAW[field] ?? field;

const printRule = ({ comment, statements }: Rule): string =>
  `    ${statements.map(printStatement).join(' ')} comment "${comment}"`;

const printBase = ({ type, hook, device, priority }: NonNullable<Chain['base']>): string => {
  const place = device === undefined ? hook : `${hook} device ${device}`;
  return `    type ${type} hook ${place} priority ${priority}; policy accept;`;
};

const printChain = ({ name, base, rules }: Chain): string[] => [
  `  chain ${name} {`,
  ...(base?.tiedTo === undefined ? [] : [`    # only while @${base.tiedTo.join(' and @')} has elements`]),
  ...(base ? [printBase(base)] : []),
  ...rules.map(printRule),
  '  }',
];

/** Slots have no name as a type: such a map is declared by what might look into it. */
const LOOKS: Partial<Record<DataType, string>> = {
  ipv4_addr: 'ip daddr',
  ipv6_addr: 'ip6 daddr',
  inet_proto: 'meta l4proto',
  inet_service: 'th dport',
  slot: 'numgen random mod 2',
};
const printTypes = ({ key, data = [] }: SetDeclaration): string => {
  const byLook = key.includes('slot');
  const texts = [key, data].filter((types) => types.length > 0);
  const each = texts.map((types) => concatenated(types.map((type) => (byLook ? LOOKS[type] : type) ?? type)));
  return `${byLook ? 'typeof' : 'type'} ${each.join(' : ')}`;
};

const printSet = (set: SetDeclaration): string[] => {
  const { name, data, interval, learned, comment } = set;
  return [
    `  ${data ? 'map' : 'set'} ${name} {`,
    `    ${printTypes(set)}`,
    ...(interval ? ['    flags interval'] : []),
    ...(learned
      ? [`    size ${learned.size}`, '    flags dynamic,timeout', `    timeout ${learned.seconds}s`]
      : []),
    `    comment "${comment}"`,
    '  }',
  ];
};

/** Commented out: there is one for each interface, with values for the names. */
const printPorts = ({ name, priority, data, rules }: PortChains): string[] => {
  const base = { type: 'filter', hook: 'ingress', device: '$port', priority } as const;
  return [
    `  # ${name}: a chain for each $port, with its ${data.map((field) => `$${field}`).join(', ')}`,
    ...printChain({ name: '$port', base, rules }).map((line) => `  #${line.slice(1)}`),
  ];
};

/** Likewise: one for each number that is drawn from. */
const printCounted = ({ prefix, rules }: CountedChains): string[] => [
  `  # ${prefix}$count: for each number of targets`,
  ...printChain({ name: `${prefix}$count`, rules }).map((line) => `  #${line.slice(1)}`),
];

const printTable = ({ family, name, sets, chains, ports, counted }: Table): string =>
  [
    `table ${family} ${name} {`,
    ...sets.flatMap(printSet),
    ...chains.flatMap(printChain),
    ...(ports ? printPorts(ports) : []),
    ...(counted ? printCounted(counted) : []),
    '}',
    '',
  ].join('\n');

export const printRuleset = (tables: readonly Table[]): string => tables.map(printTable).join('\n');
