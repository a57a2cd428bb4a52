// How long the agent's desk takes on loopback from the request for the page until the agent's state is there and can be changed,
// in a real Chromium that has nothing of it in store. Prints a line; `npm run build` goes before.
import { Lab } from '../tests/lab.mjs';

const LOADS = Number(process.env.LOADS ?? 20);

const lab = await Lab.start();
try {
  const waits = [];
  for (let load = 0; load < LOADS; load += 1) {
    const page = await lab.page();
    await lab.logIn(page, '201');
    const store = await page.context().newCDPSession(page);
    await store.send('Network.setCacheDisabled', { cacheDisabled: true });
    const began = performance.now();
    await page.reload({ waitUntil: 'commit' });
    await page.locator('.state-control button:enabled').first().waitFor();
    waits.push(performance.now() - began);
    await page.context().close();
  }
  waits.sort((one, other) => one - other);
  console.log(`the desk is usable after p50 ${Math.round(waits[LOADS >> 1])} ms, at most ${Math.round(waits.at(-1))} ms, of ${LOADS} loads`);
} finally {
  await lab.close();
}
