/** Who a process runs as: `name`, `uid`, `name:group`, `uid:gid`, resolved in the container's own passwd and group. */
import { invalid } from '../../errors.js';

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** supplementary groups, the primary one included as Docker does */
  readonly additionalGids: readonly number[];
  /** empty where passwd has no entry */
  readonly home: string;
}

/** Texts of the container's account files; empty where it has none. */
export interface Accounts {
  readonly passwd: string;
  readonly group: string;
}

/** Linux's ids as Docker accepts them. */
const MAX_ID = 0x7fffffff;

const rows = (text: string): readonly (readonly string[])[] =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));

const numeric = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;

const checkedId = (id: number): number => {
  if (id > MAX_ID) throw invalid(`uids and gids must be in range 0-${MAX_ID}`);
  return id;
};

const findUser = (wanted: string, passwd: string) => {
  const id = numeric(wanted === '' ? '0' : wanted);
  const row = rows(passwd).find(
    (fields) => (wanted !== '' && fields[0] === wanted) || (id !== undefined && numeric(fields[2]) === id),
  );
  if (row)
    return {
      name: row[0] ?? '',
      uid: numeric(row[2]) ?? 0,
      gid: numeric(row[3]) ?? 0,
      home: row[5] ?? '',
    };
  if (id === undefined) throw invalid(`unable to find user ${wanted}: no matching entries in passwd file`);
  return { name: '', uid: checkedId(id), gid: 0, home: '' };
};

/** Gid of a group given by name or number; a number needs no entry. */
const findGroup = (wanted: string, group: string): number => {
  const id = numeric(wanted);
  const row = rows(group).find(
    (fields) => fields[0] === wanted || (id !== undefined && numeric(fields[2]) === id),
  );
  const found = row ? numeric(row[2]) : id;
  if (found === undefined) throw invalid(`unable to find group ${wanted}: no matching entries in group file`);
  return checkedId(found);
};

const groupsOf = (name: string, group: string): readonly number[] =>
  name === ''
    ? []
    : rows(group)
        .filter((fields) => (fields[3] ?? '').split(',').includes(name))
        .flatMap((fields) => numeric(fields[2]) ?? []);

/** Throws invalid, in Docker's words, where a name is in neither file. */
export const resolveUser = (user: string, groupAdd: readonly string[], accounts: Accounts): ResolvedUser => {
  const [name = '', groupName] = user.split(':', 2);
  const found = findUser(name, accounts.passwd);
  const gid = groupName ? findGroup(groupName, accounts.group) : found.gid;
  const supplementary = groupName ? [] : groupsOf(found.name, accounts.group);
  const added = groupAdd.map((each) => findGroup(each, accounts.group));
  return {
    uid: found.uid,
    gid,
    additionalGids: [...new Set([gid, ...supplementary, ...added])],
    home: found.home,
  };
};
