// An agent at home: the browser stands in a network of its own, behind a router that hides it, or that we are hidden from.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOME, Home, homeless, OURS } from './home.mjs';
import { eventually, Lab, missing } from './lab.mjs';
import { PlainCaller } from './plain.mjs';
import { heard, keepPeers, microphoneOf } from './sound.mjs';

const skip = missing() || homeless();
const AGENT_HZ = 660;
const CALLER_HZ = 1_100;
/** What is heard is this much louder than what is not. */
const CLEAR_DB = 25;

/** Relais at an address of its own, with this side of ICE, and a browser at home. */
const lab = (home, side) => {
  const change = (config) =>
    config
      .replace('[rtp]\n', `[rtp]\nice = "${side}"\n`)
      .replace('[sip]\n', `[sip]\npublic_address = "${OURS}"\n`)
      .replaceAll('password = "demo-', 'password = "own-');
  const low = 36_000 + 2 * Math.floor(Math.random() * 1_000);
  // The page is served without TLS, and uses a microphone all the same. Its loopback is no way to us: the address that it has at
  // home is to stand first in its description.
  const microphone = microphoneOf(AGENT_HZ).filter((flag) => !flag.includes('loopback'));
  const flags = ({ web }) => [...microphone, `--unsafely-treat-insecure-origin-as-secure=http://${web}`];
  return Lab.start(change, flags, `0.0.0.0:${low}-${low + 999}`, { host: OURS, password: 'own', executable: home.browser });
};

async function theyHearEachOther(page, caller, when) {
  await eventually(`the agent hears the caller ${when}`, async () => {
    const [wanted, rest] = await heard(page, [CALLER_HZ, AGENT_HZ]);
    return wanted - rest > CLEAR_DB;
  });
  await eventually(`the caller hears the agent ${when}`, () => {
    const [wanted, rest] = caller.hears([AGENT_HZ, CALLER_HZ]);
    return wanted > -40 && wanted - rest > CLEAR_DB;
  });
}

/** How the browser is reached, once that is settled: the address that it knows itself by, and what it was told of us. */
const way = (page) =>
  eventually('a pair is nominated', () =>
    page.evaluate(async () => {
      const peer = globalThis.peers.findLast((one) => one.connectionState === 'connected');
      const stats = [...(await peer.getStats()).values()];
      const pair = stats.find((one) => one.type === 'candidate-pair' && one.nominated);
      if (!pair) return undefined;
      const { candidateType, address } = stats.find((one) => one.id === pair.localCandidateId);
      return { candidateType, address, lite: peer.currentRemoteDescription.sdp.includes('a=ice-lite') };
    }),
  );

/** A call rings at home and is answered there; then the page takes it back by a call of its own. */
async function talksBothWays(home, side) {
  const centre = await lab(home, side);
  let caller;
  try {
    const page = await centre.page();
    await keepPeers(page);
    await centre.logIn(page, '201');
    await page.getByRole('button', { name: 'Use this page as phone' }).click();
    await page.locator('.softphone .state.available').waitFor();
    caller = await PlainCaller.call(centre.sip, '610', '33155501111', CALLER_HZ);
    await page.getByText('A call rings here.').waitFor();
    await page.keyboard.press('r');
    await page.locator('.hand header .state.talking').waitFor();
    await theyHearEachOther(page, caller, 'who was called');
    const found = await way(page);
    await page.reload();
    await page.locator('.softphone .state.available').waitFor();
    await theyHearEachOther(page, caller, 'by a call from home');
    await page.keyboard.press('x');
    await eventually('the caller is told of the end', () => caller.over);
    assert.deepEqual(page.faults, []);
    assert.equal(found.lite, side === 'lite');
    return found;
  } finally {
    caller?.close();
    await centre.close();
  }
}

for (const side of ['lite', 'full']) {
  test(`an agent behind a NAT with random ports talks with the ${side} side of ICE`, { skip }, async () => {
    const home = Home.build({ hides: true });
    try {
      const found = await talksBothWays(home, side);
      // A browser that was never told how it looks from outside has learnt it from our answer.
      assert.ok(found.candidateType === 'prflx' || found.address === HOME || !found.address, JSON.stringify(found));
    } finally {
      home.close();
    }
  });
}

test('where nobody is let in to whom nothing was sent, the full side opens the way from within', { skip }, async () => {
  const home = Home.build({ hides: false });
  try {
    home.shut();
    await talksBothWays(home, 'full');
  } finally {
    home.close();
  }
});
