// How soon the board shows a change of state with 500 agents and 1,000 calls, most of them waiting; and what that costs the page.
// Prints a line; `npm run build` goes before. The agents' phones and the callers are SIPp's and say nothing: it is the page that
// is measured, and the server beside it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, freePort, Lab, scenarios } from '../tests/lab.mjs';

const AGENTS = 500;
const CALLS = Number(process.env.CALLS ?? 1_000);
/** Of the agents, those who serve no queue: theirs are the states that are changed and watched. */
const WATCHED = 12;
const CHANGES = Number(process.env.CHANGES ?? 100);
const PATIENCE = 180_000;

const phones = await freePort();
const agent = (id, queues) => `[[agent]]\nid = "${id}"\nname = "Agent {id}"\ncontact = "sip:{id}@127.0.0.1:${phones}"\nqueues = [${queues}]\n`;
const crowd = agent(`1001..${1_000 + WATCHED}`, '') + agent(`${1_001 + WATCHED}..${1_000 + AGENTS}`, '"sales"');
const lab = await Lab.start(
  (config) => `${config.replace('[sip]', '[sip]\nmax_calls = 4000').replaceAll('wrap_up_s = 5', 'wrap_up_s = 0')}\n${crowd}`,
  [],
  '127.0.0.1:10000-19999',
);

/** A scenario whose phone hears nothing, so that no voice is sent to it. */
function silent(name) {
  const path = join(lab.folder, `${name}.xml`);
  writeFileSync(path, readFileSync(join(scenarios, `${name}.xml`), 'utf8').replace('a=ptime:20', 'a=ptime:20\n    a=sendonly'));
  return path;
}

/** Begins to watch for the state of an agent; the promise gives the time, in the server's milliseconds, at which it was drawn. */
const watch = (page, name, state) =>
  page.evaluate(
    ([who, wanted]) => {
      const shown = () => [...document.querySelectorAll('th[scope=row]')].some((cell) => cell.textContent === who && cell.parentElement.querySelector(`.state.${wanted}`));
      globalThis.drawn = new Promise((done) => {
        const observer = new MutationObserver(() => {
          if (!shown()) return;
          observer.disconnect();
          requestAnimationFrame(() => done(performance.timeOrigin + performance.now()));
        });
        observer.observe(document.querySelector('main'), { subtree: true, childList: true, attributes: true, attributeFilter: ['class'] });
      });
    },
    [name, state],
  );

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(0);

async function busySeconds(session) {
  const { metrics } = await session.send('Performance.getMetrics');
  const of = (name) => metrics.find((metric) => metric.name === name).value;
  return { task: of('TaskDuration'), script: of('ScriptDuration'), style: of('RecalcStyleDuration') + of('LayoutDuration') };
}

try {
  lab.sipp(silent('agent_picks_up'), phones, ['-key', 'agent', 'x', '-d', '10', '-l', '2000']);
  lab.sipp(silent('patient_caller'), await freePort(), ['-key', 'caller', '33155', '-s', '610', '-r', '40', '-m', String(CALLS), '-l', String(CALLS)]);
  await eventually('all callers are there', async () => (await lab.api('GET', '/calls')).calls.length >= CALLS, PATIENCE);
  const page = await lab.page({ height: 1_100 });
  await lab.logIn(page, 'supervisor');
  await page.getByRole('region', { name: 'Agents' }).getByRole('row').nth(20).waitFor();
  // Others come and go meanwhile.
  lab.sipp(silent('caller'), await freePort(), ['-key', 'caller', '33166', '-s', '611', '-d', '5000', '-r', '3']);
  const session = await page.context().newCDPSession(page);
  // Of the processor's time, so that whatever else this machine does is not counted.
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const [begun, before] = [Date.now(), await busySeconds(session)];
  const took = [];
  for (let n = 0; n < CHANGES; n += 1) {
    const id = String(1_001 + ((n * 7) % WATCHED));
    const state = n % (2 * WATCHED) < WATCHED ? 'paused' : 'available';
    await watch(page, `Agent ${id}`, state);
    const { since } = await lab.api('POST', `/agents/${id}/state`, state === 'paused' ? { state, reason: 'break' } : { state });
    took.push((await page.evaluate(() => globalThis.drawn)) - Date.parse(since));
  }
  const [after, seconds] = [await busySeconds(session), (Date.now() - begun) / 1_000];
  took.sort((a, b) => a - b);
  const load = (name) => `${((100 * (after[name] - before[name])) / seconds).toFixed(0)} %`;
  const { calls } = await lab.api('GET', '/calls');
  console.log(
    `${AGENTS} agents, ${calls.length} calls: a change is drawn after p50 ${at(took, 0.5)}, p90 ${at(took, 0.9)}, p99 ${at(took, 0.99)}, most ${at(took, 1)} ms` +
      ` (${CHANGES} changes in ${seconds.toFixed(0)} s); the page's thread is busy ${load('task')}: script ${load('script')}, style and layout ${load('style')}`,
  );
  if (process.env.SHOT) await page.screenshot({ path: process.env.SHOT });
  if (page.faults.length) console.log(page.faults.join('\n'));
} finally {
  await lab.close();
}
process.exit(0);
