/**
 * S1: one authority takes another's place. Whatever the order in which nodes get certificates, learn whom to trust, are away, join and go,
 * and however often somebody wants another authority still, any two of them believe each other.
 */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createAuthority,
  generateKey,
  issue,
  issuerOfNode,
  requestCertificate,
} from '../../src/cluster/ca/authority.js';
import { parseAll } from '../../src/cluster/ca/certificate.js';
import type { Authority } from '../../src/cluster/ca/contract.js';
import {
  type Authorities,
  afterStep,
  bridgesIn,
  issuerIn,
  namesOf,
  nextStep,
  replaceAuthority,
} from '../../src/cluster/ca/succession.js';
import { createCertificate } from '../../src/cluster/life/certificate.js';
import { nodeFiles } from '../../src/cluster/life/files.js';
import { layout } from '../../src/cluster/life/layout.js';
import { restartInTurn } from '../../src/cluster/life/restart-in-turn.js';
import { wantedAuthority } from '../../src/cluster/life/succession.js';
import { createFakeEtcd } from '../support/fake-etcd.js';

const NOW = Date.now();
const YEAR = 365 * 86_400_000;
const KEY = generateKey();
const REQUEST = requestCertificate(KEY);
const AUTHORITIES = [1, 2, 3, 4].map(() => createAuthority(NOW));
const [FIRST, SECOND] = AUTHORITIES as [Authority, Authority];

const cached = <T>(work: (...of: readonly string[]) => T): ((...of: readonly string[]) => T) => {
  const known = new Map<string, T>();
  return (...of) => {
    const key = of.join('|');
    const found = known.get(key) ?? work(...of);
    known.set(key, found);
    return found;
  };
};
const certificatesIn = cached((pem = '') => parseAll(pem).map(String));
const isBy = cached((pem = '', authority = '') => {
  const [from, by] = [new X509Certificate(pem), new X509Certificate(authority)];
  return from.checkIssued(by) && from.verify(by.publicKey);
});

/** What is sent in a handshake leads to whom the other trusts. */
const believes = cached((trust = '', sent = '') => {
  const trusted = certificatesIn(trust);
  const [leaf = '', ...between] = certificatesIn(sent);
  const leads = (from: string, left: readonly string[]): boolean =>
    trusted.some((each) => isBy(from, each)) ||
    left.some(
      (each) =>
        isBy(from, each) &&
        leads(
          each,
          left.filter((other) => other !== each),
        ),
    );
  return leads(leaf, between);
});

interface Member {
  readonly id: string;
  certificate: string;
  trust: string;
  /** what the cluster knows of it */
  said: ReturnType<typeof tlsOf> | undefined;
}

const tlsOf = ({ certificate, trust }: Pick<Member, 'certificate' | 'trust'>) => {
  const { TrustRoot, CertIssuerSubject, CertIssuerPublicKey } = issuerOfNode(certificate, trust);
  return { trustRoot: TrustRoot, issuerSubject: CertIssuerSubject, issuerPublicKey: CertIssuerPublicKey };
};

class World {
  authorities: Authorities = {
    succession: { authorities: FIRST.certificate },
    signers: { authority: FIRST },
  };
  members: Member[] = [];

  certify(id: string): string {
    const { succession, signers } = this.authorities;
    const of = {
      nodeId: id,
      role: 'worker',
      clusterId: 'c',
      addresses: [],
      now: NOW,
      validFor: YEAR,
    } as const;
    return issue(signers.next ?? signers.authority, REQUEST, of) + bridgesIn(succession);
  }
  join(): void {
    const id = `n${this.members.length}`;
    const trust = this.authorities.succession.authorities;
    this.members.push({ id, certificate: this.certify(id), trust, said: undefined });
  }
  want(next: Authority): void {
    this.authorities = replaceAuthority(this.authorities, next, NOW);
  }
  lead(): void {
    const step = nextStep(
      this.authorities.succession,
      this.members.map(({ said }) => said),
    );
    this.authorities = (step && afterStep(this.authorities, step)) ?? this.authorities;
  }
  /** As many passes as it takes when all is well. */
  settle(): void {
    for (let i = 0; i < 4; i += 1) {
      for (const member of this.members) {
        if (tlsOf(member).issuerPublicKey !== namesOf(issuerIn(this.authorities.succession)).publicKey)
          member.certificate = this.certify(member.id);
        member.trust = this.authorities.succession.authorities;
        member.said = tlsOf(member);
      }
      this.lead();
    }
  }
  strangers(): readonly string[] {
    return this.members.flatMap((a) =>
      this.members
        .filter((b) => !believes(b.trust, a.certificate))
        .map((b) => `${b.id} does not believe ${a.id}`),
    );
  }
}

const act = fc.oneof(
  fc.record({ do: fc.constant('want' as const), which: fc.nat(3) }),
  fc.record({ do: fc.constantFrom('renew' as const, 'trust' as const, 'say' as const), which: fc.nat(4) }),
  fc.record({ do: fc.constantFrom('join' as const, 'remove' as const, 'lead' as const), which: fc.nat(4) }),
);

describe('S1: an authority that takes another’s place', () => {
  test('at each moment any two nodes believe each other, and in the end all trust the one that was wanted last', () => {
    fc.assert(
      fc.property(fc.array(act, { minLength: 1, maxLength: 30 }), (acts) => {
        const world = new World();
        for (let i = 0; i < 3; i += 1) world.join();
        for (const { do: what, which } of acts) {
          const member = world.members[which % Math.max(1, world.members.length)];
          if (what === 'want')
            world.want(AUTHORITIES[which] as Authority); // of four
          else if (what === 'join' && world.members.length < 5) world.join();
          else if (what === 'remove') world.members = world.members.filter((each) => each !== member);
          else if (what === 'lead') world.lead();
          else if (!member) continue;
          else if (what === 'renew') member.certificate = world.certify(member.id);
          else if (what === 'trust') member.trust = world.authorities.succession.authorities;
          else if (what === 'say') member.said = tlsOf(member);
          expect(world.strangers()).toEqual([]);
        }
        const wanted = issuerIn(world.authorities.succession);
        world.settle();
        expect(world.authorities.succession).toEqual({ authorities: wanted });
        expect(world.authorities.signers.authority.certificate).toBe(wanted);
        expect(world.authorities.signers.next).toBeUndefined();
        for (const { trust } of world.members) expect(trust).toBe(wanted);
        expect(world.strangers()).toEqual([]);
      }),
      { numRuns: 10 },
    );
  }, 60_000); // a run signs some hundred certificates

  test('the oracle: without bridges, or with a step too early, nodes do not believe each other', () => {
    const world = new World();
    world.join();
    world.join();
    world.want(SECOND);
    const [one] = world.members as [Member];
    one.certificate = world.certify(one.id).split(/(?<=END CERTIFICATE-----\n)/)[0] ?? '';
    expect(world.strangers()).not.toEqual([]);
    one.certificate = world.certify(one.id);
    expect(world.strangers()).toEqual([]);
    world.authorities = afterStep(world.authorities, 'trust') ?? world.authorities;
    one.trust = SECOND.certificate;
    expect(world.strangers()).toEqual(['n0 does not believe n1']);
  });

  test('waits for every node, and for what it says itself', () => {
    const world = new World();
    world.join();
    world.join();
    const [one, two] = world.members as [Member, Member];
    expect(nextStep(world.authorities.succession, [undefined])).toBeUndefined();
    world.want(SECOND);
    const due = () =>
      nextStep(
        world.authorities.succession,
        world.members.map(({ said }) => said),
      );
    for (const member of [one, two]) {
      expect(due()).toBeUndefined();
      member.certificate = world.certify(member.id);
      expect(due()).toBeUndefined();
      member.said = tlsOf(member);
    }
    expect(due()).toBe('trust');
    world.lead();
    expect(due()).toBeUndefined();
    for (const member of [one, two]) {
      member.trust = SECOND.certificate;
      member.said = tlsOf(member);
    }
    expect(due()).toBe('settle');
  });

  test('is no other where it is the one that is trusted, or has its key', () => {
    const world = new World();
    const before = world.authorities;
    world.want(SECOND);
    expect(world.authorities.succession.rotation?.authority).toBe(SECOND.certificate);
    const rotating = world.authorities;
    world.want(SECOND);
    expect(world.authorities).toEqual(rotating);
    world.want(FIRST);
    expect(world.authorities).toEqual(before);
    const reissued = { ...createAuthority(NOW + YEAR), key: FIRST.key };
    expect(() => world.want({ ...reissued, certificate: again(FIRST) })).toThrow('identical key');
  });
});

/** Another certificate of the same key. */
const again = (authority: Authority): string => {
  const { succession } = replaceAuthority(
    { succession: { authorities: SECOND.certificate }, signers: { authority: SECOND } },
    authority,
    NOW,
  );
  return succession.rotation?.bridge ?? '';
};

describe('S1: what a user may ask of authorities', () => {
  const spec = { forceRotate: 1 };
  test('a new one when the number of wishes has changed, his own when he gives one', () => {
    expect(wantedAuthority({ spec }, 1, NOW)).toBeUndefined();
    expect(wantedAuthority({ spec }, 0, NOW)?.certificate).toContain('BEGIN CERTIFICATE');
    expect(wantedAuthority({ spec, authority: FIRST }, 1, NOW)).toEqual(FIRST);
  });
  test.each([
    ['no certificate', { certificate: '', key: FIRST.key }, 'the signing CA cert must also be provided'],
    ['no key', { certificate: FIRST.certificate, key: '' }, 'give it with --ca-key'],
    [
      'two',
      { certificate: FIRST.certificate + SECOND.certificate, key: FIRST.key },
      'cannot contain multiple certificates',
    ],
    ['another’s', { certificate: again(FIRST), key: FIRST.key }, 'give that one, the root'],
  ])('%s is refused in words', (_, authority, words) => {
    expect(() => wantedAuthority({ spec, authority }, 1, NOW)).toThrow(words);
  });
  test('one that ends within a year is refused', () => {
    const soon = new X509Certificate(FIRST.certificate).validTo;
    expect(() => wantedAuthority({ spec, authority: FIRST }, 1, Date.parse(soon) - YEAR / 2)).toThrow(
      'expires too soon',
    );
  });
});

describe('S1: on the disk', () => {
  test('a node follows what it hears: a worker at once, a manager when it is its turn', async () => {
    const base = mkdtempSync(join(tmpdir(), 'viaduct-files-'));
    try {
      const files = nodeFiles(layout(base, base));
      files.saveCertificate(new World().certify('n1'), FIRST.certificate, KEY);
      const trusted = (): string => files.credentials().authorities;
      let changes = 0;
      let turn = false;
      let isManager = false;
      const certificate = createCertificate({
        ...{ files, advertise: '192.0.2.1:2377', now: () => NOW, changed: () => {} },
        log: { debug() {}, info() {}, warn() {}, error() {} },
        trusts: () => {
          changes += 1;
        },
        inTurn: () =>
          isManager
            ? async (save) => {
                if (turn) save();
                return turn;
              }
            : undefined,
      });
      const issuer = certificate.described().issuerPublicKey;
      expect([certificate.isDue(), await certificate.follow(), changes]).toEqual([false, true, 0]);
      certificate.hear({ authorities: SECOND.certificate, issuer });
      expect([certificate.isDue(), await certificate.follow(), changes]).toEqual([false, true, 1]);
      expect(trusted()).toBe(SECOND.certificate);
      isManager = true;
      certificate.hear({ authorities: FIRST.certificate, issuer: 'another' });
      expect([certificate.isDue(), await certificate.follow(), changes]).toEqual([true, false, 1]);
      turn = true;
      expect([await certificate.follow(), changes, trusted()]).toEqual([true, 2, FIRST.certificate]);
    } finally {
      rmSync(base, { recursive: true, force: true });
    }
  });
});

describe('S1: managers start etcd anew', () => {
  const turns = (reachable: number, all: number) => {
    const fake = createFakeEtcd({ now: () => NOW });
    const steps: string[] = [];
    const settings = (
      nodeId: string,
      restart = async (): Promise<void> => void steps.push(`${nodeId} restarts`),
    ) => ({
      ...{ etcd: fake.connect(), prefix: '/p/', nodeId, restart },
      reach: async () => ({ reachable, all }),
      handOver: async () => void steps.push(`${nodeId} hands over`),
    });
    return { fake, steps, settings, save: (nodeId: string) => () => void steps.push(`${nodeId} saves`) };
  };

  test('one at a time, in order, and give the turn back, also where it fails', async () => {
    const { fake, steps, settings, save } = turns(3, 3);
    let second: boolean | undefined;
    const meanwhile = async (): Promise<void> => {
      second = await restartInTurn(settings('b'), save('b'));
      throw new Error('etcd does not come up');
    };
    await expect(restartInTurn(settings('a', meanwhile), save('a'))).rejects.toThrow('does not come up');
    expect(second).toBe(false);
    expect(steps).toEqual(['a hands over', 'a saves']);
    expect(fake.entries()).toEqual([]);
    expect(await restartInTurn(settings('b'), save('b'))).toBe(true);
    expect(steps.slice(2)).toEqual(['b hands over', 'b saves', 'b restarts']);
  });

  test.each([
    [1, 1, true],
    [2, 2, true],
    [2, 3, false],
    [4, 5, true],
    [3, 5, false],
  ])('with %i of %i managers that answer: %s', async (reachable, all, may) => {
    const { fake, steps, settings, save } = turns(reachable, all);
    expect(await restartInTurn(settings('a'), save('a'))).toBe(may);
    expect(steps.length > 0).toBe(may);
    expect(fake.entries()).toEqual([]);
  });
});
