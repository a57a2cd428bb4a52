// SIP over WebSocket (RFC 7118) as two libraries speak it, each in a real browser, with the agent's own password.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { build } from 'esbuild';
import { eventually, Lab, missing } from './lab.mjs';

const skip = missing();
let labs;
before(async () => {
  if (!skip) labs = { WS: await Lab.start(), WSS: await Lab.secure() };
});
after(async () => {
  for (const lab of Object.values(labs ?? {})) await lab.close();
});

/** A page of ours with a library of others' in it: the page's policy lets no foreign script in, the debugger does not ask it. */
async function pageWith(lab, imported) {
  const contents = `import ${imported}; Object.assign(globalThis, { ${/\w+(?= from)/.exec(imported)[0]} });`;
  const { outputFiles } = await build({ stdin: { contents, resolveDir: import.meta.dirname }, bundle: true, format: 'iife', write: false });
  const page = await lab.page();
  page.sent = [];
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => page.sent.push(String(payload))));
  await page.goto(`${lab.origin}/`);
  await page.evaluate(outputFiles[0].text);
  return page;
}

/** RFC 7118 §5.2: what the messages of the page say they come by. */
const came = (page) => [...new Set(page.sent.flatMap((text) => /^Via: SIP\/2.0\/(\w+) /m.exec(text)?.[1] ?? []))];

async function speaksJsSip(by) {
  const lab = labs[by];
  const reachable = async () => (await lab.agent('207')).reachable;
  const page = await pageWith(lab, "JsSIP from 'jssip'");
  const outcome = (password) =>
    page.evaluate(async (given) => {
      const { JsSIP } = globalThis;
      const ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(`${location.origin.replace('http', 'ws')}/sip`)], uri: 'sip:207@relais.localhost', password: given });
      const told = new Promise((done) => {
        ua.on('registered', ({ response }) => done(`registered ${response.status_code}`));
        ua.on('registrationFailed', ({ response }) => done(`failed ${response?.status_code}`));
      });
      ua.start();
      return told;
    }, password);
  assert.equal(await outcome('wrong'), 'failed 403');
  assert.equal(await reachable(), false);
  assert.equal(await outcome('demo-207'), 'registered 200');
  assert.equal(await reachable(), true);
  assert.deepEqual(came(page), [by]);
  await page.context().close();
  await eventually('the page is gone', async () => !(await reachable()));
}

async function speaksSipJs(by) {
  const lab = labs[by];
  const reachable = async () => (await lab.agent('208')).reachable;
  const page = await pageWith(lab, "* as SIP from 'sip.js'");
  const states = await page.evaluate(async () => {
    const { SIP } = globalThis;
    const ua = new SIP.UserAgent({
      uri: SIP.UserAgent.makeURI('sip:208@relais.localhost'),
      transportOptions: { server: `${location.origin.replace('http', 'ws')}/sip`, keepAliveInterval: 1 },
      authorizationUsername: '208',
      authorizationPassword: 'demo-208',
      logLevel: 'error',
    });
    await ua.start();
    const registerer = new SIP.Registerer(ua, { expires: 60 });
    globalThis.registerer = registerer;
    const seen = [];
    const next = () => new Promise((done) => registerer.stateChange.addListener(done, { once: true }));
    for (const act of ['register', 'register']) {
      const told = new Promise((done) => {
        void registerer[act]({ requestDelegate: { onAccept: () => done('accepted'), onReject: ({ message }) => done(`rejected ${message.statusCode}`) } });
      });
      seen.push(await told);
    }
    globalThis.next = next;
    return seen;
  });
  assert.deepEqual(states, ['accepted', 'accepted']);
  assert.equal(await reachable(), true);
  const last = await page.evaluate(async () => {
    const told = globalThis.next();
    void globalThis.registerer.unregister();
    return told;
  });
  assert.equal(last, 'Unregistered');
  assert.equal(await reachable(), false);
  assert.deepEqual(came(page), [by]);
  await page.context().close();
}

for (const by of ['WS', 'WSS']) {
  test(`JsSIP registers by ${by} and digest, is refused with a wrong password, and is gone with its page`, { skip }, () => speaksJsSip(by));
  test(`SIP.js registers by ${by} and digest, refreshes, and takes itself back`, { skip }, () => speaksSipJs(by));
}
