// How long from INVITE to the first audio that a real Chromium hears, with JsSIP: when it calls, and when it is called by a plain
// trunk's caller and answers at once. Prints a line each; `npm run build` goes before.
import { build } from 'esbuild';
import { eventually, Lab } from '../tests/lab.mjs';
import { PlainCaller } from '../tests/plain.mjs';
import { microphoneOf } from '../tests/sound.mjs';

const CALLS = Number(process.env.CALLS ?? 30);

const lab = await Lab.start((config) => config.replaceAll('wrap_up_s = 5', 'wrap_up_s = 0'), microphoneOf(660));
const contents = "import JsSIP from 'jssip'; Object.assign(globalThis, { JsSIP });";
const { outputFiles } = await build({ stdin: { contents, resolveDir: import.meta.dirname }, bundle: true, format: 'iife', write: false });

/** A page with JsSIP in it that is registered as an agent, notes each wait, and answers whoever calls. */
async function pageOf(agent) {
  const page = await lab.page();
  await page.goto(`http://${lab.web}/`);
  await page.evaluate(outputFiles[0].text);
  await page.evaluate(async (user) => {
    const { JsSIP } = globalThis;
    const how = { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } };
    globalThis.waits = [];
    // A track is muted until its first packet has come.
    const listen = (peer, since) => {
      const note = ({ track }) => track.addEventListener('unmute', () => globalThis.waits.push(performance.now() - since()), { once: true });
      peer.addEventListener('track', note);
    };
    const ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(`ws://${location.host}/sip`)], uri: `sip:${user}@relais.localhost`, password: `demo-${user}` });
    ua.on('newRTCSession', ({ originator, session }) => {
      let began = performance.now();
      session.on('icecandidate', (event) => event.ready());
      session.on('sending', () => {
        began = performance.now();
      });
      session.on('peerconnection', ({ peerconnection }) => listen(peerconnection, () => began));
      if (originator === 'remote') session.answer(how);
      else listen(session.connection, () => began);
    });
    await new Promise((done, fail) => {
      ua.on('registered', done);
      ua.on('registrationFailed', ({ cause }) => fail(new Error(cause)));
      ua.start();
    });
    globalThis.dial = (to) => {
      globalThis.session = ua.call(`sip:${to}@relais.localhost`, how);
    };
  }, agent);
  return page;
}

const heard = (page) => page.evaluate(() => globalThis.waits.length);

async function told(page, what) {
  const waits = (await page.evaluate(() => globalThis.waits)).sort((one, other) => one - other);
  const part = (share) => Math.round(waits[Math.min(waits.length - 1, Math.floor(waits.length * share))]);
  console.log(`${what}: INVITE to first audio of ${waits.length} calls: p50 ${part(0.5)} ms, p90 ${part(0.9)}, at most ${part(1)}`);
}

try {
  const caller = await pageOf('209');
  for (let call = 1; call <= CALLS; call += 1) {
    await caller.evaluate(() => globalThis.dial('601'));
    await eventually('the prompt is heard', async () => (await heard(caller)) === call);
    await caller.evaluate(() => globalThis.session.terminate());
    await eventually('the call is over', async () => (await lab.api('GET', '/calls')).calls.length === 0);
  }
  await told(caller, 'a browser that calls');
  await caller.context().close();

  const agent = await pageOf('205');
  for (let call = 1; call <= CALLS; call += 1) {
    const plain = await PlainCaller.call(lab.sip, '611', `331557${String(call).padStart(2, '0')}`, 1_100);
    await eventually('the caller is heard', async () => (await heard(agent)) === call);
    plain.hangUp();
    await eventually('the agent is free again', async () => (await lab.agent('205')).state === 'available');
    plain.close();
  }
  await told(agent, 'a browser that is called');
} finally {
  await lab.close();
}
