/** Ends what former daemons of this node started, where no part of this one knows it. */
import { adoptEtcd } from '../etcd/process.js';
import { adoptSerf } from '../serf/process.js';
import type { Layout } from './layout.js';

export const endEtcd = async ({ etcdRun }: Layout): Promise<void> => {
  await (await adoptEtcd({ runDirectory: etcdRun }))?.stop();
};

export const endPrograms = async (at: Layout): Promise<void> => {
  await Promise.all([endEtcd(at), adoptSerf(at.serf).then((serf) => serf?.stop())]);
};
