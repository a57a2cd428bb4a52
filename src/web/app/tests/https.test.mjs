// Pages by TLS without a proxy: what a browser is told, and the desk as a phone by wss.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { build } from 'esbuild';
import { eventually, Lab, missing } from './lab.mjs';
import { PlainCaller } from './plain.mjs';
import { heard, keepPeers, microphoneOf } from './sound.mjs';

const skip = missing();
const AGENT_HZ = 660;
const CALLER_HZ = 1_100;
/** What is heard is this much louder than what is not. */
const CLEAR_DB = 25;

let lab;
before(async () => {
  if (!skip) lab = await Lab.secure(undefined, microphoneOf(AGENT_HZ));
});
after(() => lab?.close());

const clear = (level, rest) => level - rest > CLEAR_DB;

/** A page, with the addresses of its WebSockets and the SIP that came by them. */
async function watched() {
  const page = Object.assign(await lab.page(), { sockets: [], came: [] });
  page.on('websocket', (socket) => {
    page.sockets.push(socket.url());
    socket.on('framereceived', ({ payload }) => page.came.push(String(payload)));
  });
  await keepPeers(page);
  return page;
}

test('a browser is told to come by TLS alone, and its cookie stays in it', { skip }, async () => {
  const page = await watched();
  const start = await page.goto(`${lab.origin}/`);
  assert.equal(start.headers()['strict-transport-security'], 'max-age=31536000');
  assert.match(start.headers()['content-security-policy'], /connect-src 'self'/);
  await lab.logIn(page, '201');
  const [cookie, ...others] = await page.context().cookies();
  assert.deepEqual(others, []);
  assert.deepEqual(
    { name: cookie.name, secure: cookie.secure, httpOnly: cookie.httpOnly, sameSite: cookie.sameSite },
    { name: 'relais_session', secure: true, httpOnly: true, sameSite: 'Strict' },
  );
  assert.equal(await page.evaluate(() => globalThis.isSecureContext), true);
  await eventually('the page follows what happens', () => page.sockets.some((url) => url.startsWith(`wss://${lab.web}/api/v1/events`)));
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('who comes in the clear is led to the page, and a program is told', { skip }, async () => {
  const page = await lab.page();
  await page.goto(`http://${lab.web}/login`);
  assert.equal(new URL(page.url()).origin, lab.origin);
  await page.context().close();
  const headers = { Authorization: `Bearer ${lab.admin}` };
  const told = await lab.ask(`http://${lab.web}/api/v1/calls`, { headers });
  assert.deepEqual([told.status, JSON.parse(told.text).error.code], [400, 'https_needed']);
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    assert.equal((await lab.ask(`http://${lab.web}${path}`)).headers.location, `${lab.origin}${path}`);
    assert.equal((await lab.ask(`${lab.origin}${path}`, { headers })).status, 200);
  }
});

test('the desk is a phone by wss: it rings, is answered, and both hear each other', { skip }, async () => {
  const page = await watched();
  await lab.logIn(page, '201');
  await page.getByRole('button', { name: 'Use this page as phone' }).click();
  await page.locator('.softphone .state.available').waitFor();
  assert.ok(page.sockets.includes(`wss://${lab.web}/sip`), page.sockets.join());
  assert.equal((await lab.agent('201')).reachable, true);
  const caller = await PlainCaller.call(lab.sip, '610', '33155508001', CALLER_HZ);
  await page.getByText('A call rings here.').waitFor();
  const invite = page.came.find((text) => text.startsWith('INVITE '));
  assert.match(invite, new RegExp(`^Via: SIP/2\\.0/WSS ${lab.web};`, 'm'), 'RFC 7118 §5.2');
  assert.match(invite, new RegExp(`^Contact: <sip:(?:[^@>]+@)?${lab.web};transport=ws>`, 'm'), 'RFC 7118 §5.2: one name for both');
  await page.keyboard.press('r');
  await page.locator('.hand header .state.talking').waitFor();
  await eventually('the agent hears the caller', async () => clear(...(await heard(page, [CALLER_HZ, AGENT_HZ]))));
  await eventually('the caller hears the agent', () => {
    const [agent, own] = caller.hears([AGENT_HZ, CALLER_HZ]);
    return agent > -40 && clear(agent, own);
  });
  await page.keyboard.press('x');
  await eventually('the caller is told of the end', () => caller.over);
  caller.close();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('SIP.js calls by wss and hears itself', { skip }, async () => {
  const contents = "import * as SIP from 'sip.js'; Object.assign(globalThis, { SIP });";
  const built = await build({ stdin: { contents, resolveDir: import.meta.dirname }, bundle: true, format: 'iife', write: false });
  const page = await watched();
  await page.goto(`${lab.origin}/`);
  await page.evaluate(built.outputFiles[0].text);
  await page.evaluate(async () => {
    const { SIP } = globalThis;
    const address = (user) => SIP.UserAgent.makeURI(`sip:${user}@relais.localhost`);
    const ua = new SIP.UserAgent({
      uri: address('208'),
      authorizationUsername: '208',
      authorizationPassword: 'demo-208',
      logLevel: 'error',
      transportOptions: { server: `wss://${location.host}/sip` },
      sessionDescriptionHandlerFactoryOptions: { iceGatheringTimeout: 500, peerConnectionConfiguration: { iceServers: [] } },
    });
    await ua.start();
    globalThis.session = new SIP.Inviter(ua, address('600'));
    await globalThis.session.invite();
  });
  await eventually('the echo is heard', async () => clear(...(await heard(page, [AGENT_HZ, CALLER_HZ]))));
  await page.evaluate(() => globalThis.session.bye());
  await eventually('the call is over', async () => !(await lab.call('208')));
  assert.deepEqual(page.sockets.filter((url) => url.endsWith('/sip')), [`wss://${lab.web}/sip`]);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
