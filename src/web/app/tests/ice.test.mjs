// The full side of ICE: the desk's own phone and a colleague's browser, both of which Relais checks as they check it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { callBy, libraries } from './callers.mjs';
import { browser, eventually, Lab, missing } from './lab.mjs';
import { heard, keepPeers, microphoneOf } from './sound.mjs';

const skip = missing();
const AGENT_HZ = 660;
const CALLER_HZ = 1_100;
/** What is heard is this much louder than what is not. */
const CLEAR_DB = 25;

let lab;
let callers;
let library;
before(async () => {
  if (skip) return;
  lab = await Lab.start((config) => config.replace('[rtp]\n', '[rtp]\nice = "full"\n'), microphoneOf(AGENT_HZ));
  callers = await browser(microphoneOf(CALLER_HZ));
  library = await libraries();
});
after(async () => {
  await callers?.close();
  await lab?.close();
});

const call = (number, from) => callBy({ lab, callers, library }, number, from);

async function phone(agent) {
  const page = await lab.page();
  await keepPeers(page);
  await lab.logIn(page, agent);
  await page.getByRole('button', { name: 'Use this page as phone' }).click();
  await page.locator('.softphone .state.available').waitFor();
  return page;
}

async function hears(page, what, tone, other) {
  await eventually(what, async () => {
    const [wanted, rest] = await heard(page, [tone, other]);
    return wanted - rest > CLEAR_DB;
  });
}

/**
 * Who controls as the browser sees it, what it was told, and how many of the server's checks it has answered, once it has
 * settled for a pair.
 */
const ice = (page) =>
  eventually('a pair is nominated', () =>
    page.evaluate(async () => {
      const peer = globalThis.peers.findLast((one) => one.connectionState === 'connected');
      const stats = [...(await peer.getStats()).values()];
      const pair = stats.find((one) => one.type === 'candidate-pair' && one.nominated && one.state === 'succeeded');
      const { iceRole } = stats.find((one) => one.type === 'transport');
      return pair && { iceRole, sdp: peer.currentRemoteDescription.sdp, asked: pair.requestsReceived, answered: pair.responsesSent };
    }),
  );

async function isFull(page, role) {
  const { iceRole, sdp, asked, answered } = await ice(page);
  assert.equal(iceRole, role);
  assert.ok(!sdp.includes('a=ice-lite') && sdp.includes('a=ice-options:ice2'), sdp);
  assert.ok(asked > 0 && answered > 0, `the browser was checked ${asked} times, and answered ${answered}`);
}

test('calls from and to browsers are checked from both sides, and a restart costs them nothing', { skip }, async () => {
  const page = await phone('201');
  const caller = await call('610', '209');
  await page.getByText('A call rings here.').waitFor();
  await page.keyboard.press('r');
  await page.locator('.hand header .state.talking').waitFor();
  await hears(page, 'the agent hears the caller', CALLER_HZ, AGENT_HZ);
  await hears(caller, 'the caller hears the agent', AGENT_HZ, CALLER_HZ);
  // Who offers controls: the caller its own call, and Relais the one to the agent.
  await isFull(caller, 'controlling');
  await isFull(page, 'controlled');

  const password = (sdp) => /a=ice-pwd:(.*)/.exec(sdp)[1];
  const before = password((await ice(caller)).sdp);
  await caller.evaluate(() => new Promise((done) => globalThis.session.renegotiate({ rtcOfferConstraints: { iceRestart: true } }, done)));
  await eventually('the restart is agreed on', async () => password((await ice(caller)).sdp) !== before);
  await hears(page, 'the agent hears the caller after the restart', CALLER_HZ, AGENT_HZ);
  await hears(caller, 'the caller hears the agent after the restart', AGENT_HZ, CALLER_HZ);

  // Longer than a far end may be silent.
  await new Promise((done) => setTimeout(done, 14_000));
  const questions = (await ice(page)).asked;
  await eventually('the browser is asked whether it still agrees', async () => (await ice(page)).asked > questions);
  await hears(caller, 'the caller still hears the agent', AGENT_HZ, CALLER_HZ);

  // The page takes its call back by one of its own.
  await page.reload();
  await page.locator('.softphone .state.available').waitFor();
  await hears(page, 'the agent hears the caller after the reload', CALLER_HZ, AGENT_HZ);
  await hears(caller, 'the caller hears the agent after the reload', AGENT_HZ, CALLER_HZ);
  await isFull(page, 'controlling');
  await page.keyboard.press('x');
  await eventually('the call is over', async () => !(await lab.call('209')));
  assert.deepEqual(page.faults, []);
  for (const one of [caller, page]) await one.context().close();
});

test('a browser that is gone is noticed', { skip }, async () => {
  const page = await phone('202');
  const caller = await call('610', '208');
  await page.getByText('A call rings here.').waitFor();
  await page.keyboard.press('r');
  await page.locator('.hand header .state.talking').waitFor();
  await hears(page, 'the agent hears the caller', CALLER_HZ, AGENT_HZ);
  await caller.context().close();
  await eventually('the call is over', async () => !(await lab.call('208')), 40_000);
  await page.context().close();
});
