/** How answers leave sandboxes on the ingress network: two tables of nftables in each. */
import { ifThere } from '../../errno.js';
import type { WayBackObject } from '../../plan/objects.js';
import { dropWayBack, readWayBack, writeWayBack } from '../nftables/way-back.js';
import type { BackEnd } from './contract.js';

/** `any`: may there be such sandboxes at all? Asked at each look, as no sandbox is looked into where there are none. */
export const wayBackBackEnd = (any: () => boolean): BackEnd<WayBackObject> => {
  const observed = (ns: string): readonly WayBackObject[] => {
    const link = ifThere(() => readWayBack(ns));
    return link === undefined ? [] : [{ kind: 'wayBack', ns, link }];
  };
  return {
    run([step], _, done) {
      if (!step) return;
      if (step.op === 'delete') ifThere(() => dropWayBack(step.object));
      else writeWayBack(step.object);
      done(step);
    },
    observe: (said) =>
      any() ? [...said, ...said.flatMap((o) => (o.kind === 'netns' ? observed(o.path) : []))] : said,
    present: (o) => observed(o.ns).some(({ link }) => link === o.link),
  };
};
