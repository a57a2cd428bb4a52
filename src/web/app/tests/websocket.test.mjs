// SIP over WebSocket (RFC 7118) as two libraries speak it, each in a real browser, with the agent's own password.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { build } from 'esbuild';
import { eventually, Lab, missing } from './lab.mjs';

const skip = missing();
let lab;
before(async () => {
  if (!skip) lab = await Lab.start();
});
after(() => lab?.close());

/** A page of ours with a library of others' in it: the page's policy lets no foreign script in, the debugger does not ask it. */
async function pageWith(imported) {
  const contents = `import ${imported}; Object.assign(globalThis, { ${/\w+(?= from)/.exec(imported)[0]} });`;
  const { outputFiles } = await build({ stdin: { contents, resolveDir: import.meta.dirname }, bundle: true, format: 'iife', write: false });
  const page = await lab.page();
  await page.goto(`http://${lab.web}/`);
  await page.evaluate(outputFiles[0].text);
  return page;
}

const reachable = async (id) => (await lab.agent(id)).reachable;

test('JsSIP registers by digest, is refused with a wrong password, and is gone with its page', { skip }, async () => {
  const page = await pageWith("JsSIP from 'jssip'");
  const outcome = (password) =>
    page.evaluate(async (given) => {
      const { JsSIP } = globalThis;
      const ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(`ws://${location.host}/sip`)], uri: 'sip:207@relais.localhost', password: given });
      const told = new Promise((done) => {
        ua.on('registered', ({ response }) => done(`registered ${response.status_code}`));
        ua.on('registrationFailed', ({ response }) => done(`failed ${response?.status_code}`));
      });
      ua.start();
      return told;
    }, password);
  assert.equal(await outcome('wrong'), 'failed 403');
  assert.equal(await reachable('207'), false);
  assert.equal(await outcome('demo-207'), 'registered 200');
  assert.equal(await reachable('207'), true);
  await page.context().close();
  await eventually('the page is gone', async () => !(await reachable('207')));
});

test('SIP.js registers by digest, refreshes, and takes itself back', { skip }, async () => {
  const page = await pageWith("* as SIP from 'sip.js'");
  const states = await page.evaluate(async () => {
    const { SIP } = globalThis;
    const ua = new SIP.UserAgent({
      uri: SIP.UserAgent.makeURI('sip:208@relais.localhost'),
      transportOptions: { server: `ws://${location.host}/sip`, keepAliveInterval: 1 },
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
  assert.equal(await reachable('208'), true);
  const last = await page.evaluate(async () => {
    const told = globalThis.next();
    void globalThis.registerer.unregister();
    return told;
  });
  assert.equal(last, 'Unregistered');
  assert.equal(await reachable('208'), false);
  await page.context().close();
});
