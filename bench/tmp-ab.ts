import { startEngine, loadImages } from './engine.js';
import { containerBody, startContainer, removeContainer, idOf } from './bench.js';
import { dockerClient, testImages } from './machine.js';
import { undoAll, undoOnSignals } from './undo.js';
import { median } from './statistics.js';
import { setTimeout as sleep } from 'node:timers/promises';
undoOnSignals();
const rounds = Number(process.argv[2]);
try {
  const engines: any[] = [];
  for (const v of process.argv.slice(3)) { process.env.VIADUCT_DIST = v; const e = await startEngine('viaduct'); await loadImages(e, dockerClient()!, await testImages()); engines.push([v, e, (await startContainer(e, containerBody('bridge'))).id, {}]); }
  for (let r = -6; r < rounds; r += 1) for (const [, e, id, s] of r % 2 ? engines : [...engines].reverse()) {
    await sleep(80);
    const add = (k: string, ms: number) => { if (r >= 0) (s[k] ??= []).push(ms); };
    for (const n of ['none', 'bridge']) { const c = await startContainer(e, containerBody(n)); add(`create-${n}`, c.createMs); add(`start-${n}`, c.startMs); add(`rm-${n}`, await removeContainer(e, c.id)); await sleep(60); }
    const C = { Container: id };
    const t = async (k: string, m: string, p: string, b?: any) => { const a = await e.api(m, p, b); add(k, a.ms); return a; };
    const n = `/networks/${idOf((await t('create', 'POST', '/networks/create', { Name: 'bench', Driver: 'bridge' })).json)}`;
    await t('connect', 'POST', `${n}/connect`, C); await t('disconnect', 'POST', `${n}/disconnect`, C); await t('rm', 'DELETE', n);
  }
  for (const [v, , , s] of engines) console.log(v.padEnd(10), Object.entries(s).map(([k, x]: any) => `${k} ${median(x).toFixed(2)}`).join('  '));
} finally { await undoAll(); }
