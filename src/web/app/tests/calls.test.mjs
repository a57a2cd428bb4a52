// The desk's own phone: real calls between two browsers with real WebRTC, told apart by tones.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { callBy, libraries } from './callers.mjs';
import { browser, eventually, Lab, looks, missing, Wire } from './lab.mjs';
import { PlainCaller } from './plain.mjs';
import { codecs, heard, keepPeers, microphoneOf, recorded } from './sound.mjs';

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
  lab = await Lab.start(undefined, microphoneOf(AGENT_HZ));
  callers = await browser(microphoneOf(CALLER_HZ));
  library = await libraries();
});
after(async () => {
  await callers?.close();
  await lab?.close();
});

const button = (page, name) => page.getByRole('button', { name });

/** A colleague's browser that calls a number; resolves when it has begun to. */
const call = (number, from = '209') => callBy({ lab, callers, library }, number, from);

/** A page that is the agent's phone and takes calls. */
async function phone(agent, { at = `http://${lab.web}/`, ...how } = {}) {
  const page = await lab.page(how);
  await keepPeers(page);
  await lab.logIn(page, agent, at);
  await button(page, /^(Use this page as phone|Téléphoner par cette page)$/).click();
  await page.locator('.softphone .state.available').waitFor();
  await page.locator('.state-control .state.available').waitFor();
  return page;
}

async function hears(page, what, tone, other) {
  await eventually(what, async () => {
    const [wanted, rest] = await heard(page, [tone, other]);
    return wanted - rest > CLEAR_DB;
  });
}

const talks = (page) => page.locator('.hand header .state.talking').waitFor();

test('a call rings in the page, is answered there, recorded, and led by its keys', { skip }, async () => {
  const page = await phone('201');
  await looks(page, 'phone-ready');
  const caller = await call('610');
  await page.getByText('A call rings here.').waitFor();
  await looks(page, 'phone-ringing');
  await page.keyboard.press('r');
  await talks(page);
  await button(page, 'Record').click();
  await hears(page, 'the agent hears the caller', CALLER_HZ, AGENT_HZ);
  await hears(caller, 'the caller hears the agent', AGENT_HZ, CALLER_HZ);

  await page.keyboard.press('m');
  await button(page, 'Unmute').waitFor();
  await eventually('a muted agent is not heard', async () => (await heard(caller, [AGENT_HZ]))[0] < -80);
  await page.keyboard.press('m');
  await hears(caller, 'the agent is heard again', AGENT_HZ, CALLER_HZ);

  // The agent's keys by RFC 4733: consult 202, and back to the caller.
  await button(page, 'Keypad').click();
  await looks(page, 'phone-keypad');
  for (const key of '*1301#') await page.locator('.keypad').getByRole('button', { name: key, exact: true }).click();
  await page.keyboard.press('Escape');
  await page.locator('.consultation').waitFor();
  await page.keyboard.press('b');
  await page.locator('.consultation').waitFor({ state: 'detached' });
  await hears(page, 'the agent hears the caller again', CALLER_HZ, AGENT_HZ);

  await page.keyboard.press('x');
  assert.equal(await caller.evaluate(() => globalThis.over), 'Terminated');
  const record = await eventually('the record is there', async () => (await lab.api('GET', '/records?number=209')).records[0]);
  const answer = await fetch(`http://${lab.web}/api/v1/recordings/${record.recording_id}`, { headers: { Authorization: `Bearer ${lab.admin}` } });
  const [said, told] = await recorded(caller, Buffer.from(await answer.arrayBuffer()), [CALLER_HZ, AGENT_HZ]);
  assert.ok(said[0] - said[1] > CLEAR_DB, `the caller's side: ${said}`);
  assert.ok(told[1] - told[0] > CLEAR_DB, `the agent's side: ${told}`);
  assert.deepEqual(page.faults, []);
  await caller.context().close();
  await page.context().close();
});

test('an agent in a page and a caller of a plain trunk hear each other', { skip }, async () => {
  const page = await phone('204');
  const caller = await PlainCaller.call(lab.sip, '611', '33155707', CALLER_HZ);
  await button(page, 'Answer').click();
  await talks(page);
  await hears(page, 'the agent hears the caller', CALLER_HZ, AGENT_HZ);
  await eventually('the caller hears the agent', async () => {
    const [agent, own] = caller.hears([AGENT_HZ, CALLER_HZ]);
    return agent > -40 && agent - own > CLEAR_DB;
  });
  await page.keyboard.press('x');
  await eventually('the caller is told of the end', async () => caller.over);
  caller.close();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

/** A browser that dials a number with SIP.js, and offers those codecs of its own alone that are named; resolves when it is answered. */
async function dial(number, user, spoken = /./) {
  const page = await lab.page({ browser: callers });
  await keepPeers(page);
  await page.goto(`http://${lab.web}/`);
  await page.evaluate(library);
  await page.evaluate(
    async ([to, agent, wanted]) => {
      const { SIP } = globalThis;
      const ua = new SIP.UserAgent({
        uri: SIP.UserAgent.makeURI(`sip:${agent}@relais.localhost`),
        transportOptions: { server: `ws://${location.host}/sip` },
        authorizationUsername: agent,
        authorizationPassword: `demo-${agent}`,
        logLevel: 'error',
        sessionDescriptionHandlerFactoryOptions: { iceGatheringTimeout: 500, peerConnectionConfiguration: { iceServers: [] } },
      });
      await ua.start();
      // As a browser writes them that has no others: the payload types of the m= line, and what is said of each.
      const only = async (description) => {
        const names = Object.fromEntries([...description.sdp.matchAll(/^a=rtpmap:(\d+) (\S+)/gm)].map(([, type, name]) => [type, name]));
        const other = (type) => !new RegExp(wanted, 'i').test(names[type]);
        const sdp = description.sdp
          .replace(/^(m=audio \d+ \S+) ([\d ]+)/m, (_, head, types) => `${head} ${types.trim().split(' ').filter((type) => !other(type)).join(' ')}`)
          .replace(/^a=(?:rtpmap|fmtp|rtcp-fb):(\d+) .*\r\n/gm, (line, type) => (other(type) ? '' : line));
        return { type: description.type, sdp };
      };
      const session = new SIP.Inviter(ua, SIP.UserAgent.makeURI(`sip:${to}@relais.localhost`), {
        sessionDescriptionHandlerOptions: { constraints: { audio: true, video: false } },
        sessionDescriptionHandlerModifiers: [only],
      });
      globalThis.session = session;
      const answered = new Promise((done, fail) => {
        session.stateChange.addListener((state) => {
          if (state === SIP.SessionState.Established) done();
          if (state === SIP.SessionState.Terminated) fail(new Error('refused'));
        });
      });
      await session.invite();
      await answered;
    },
    [number, user, spoken.source],
  );
  return page;
}

test('SIP.js calls, hears itself, holds and comes back', { skip }, async () => {
  const page = await dial('600', '208');
  await hears(page, 'the echo', CALLER_HZ, AGENT_HZ);
  const hold = (on) =>
    page.evaluate(async (held) => {
      const { SIP, session } = globalThis;
      await new Promise((done, fail) => {
        const requestDelegate = { onAccept: done, onReject: ({ message }) => fail(new Error(message.reasonPhrase)) };
        void session.invite({ requestDelegate, sessionDescriptionHandlerModifiers: held ? [SIP.Web.holdModifier] : [] });
      });
    }, on);
  await hold(true);
  await eventually('a held call is silent', async () => (await heard(page, [CALLER_HZ]))[0] < -80);
  await hold(false);
  await hears(page, 'the echo again', CALLER_HZ, AGENT_HZ);
  await page.evaluate(() => globalThis.session.bye());
  await eventually('the call is over', async () => !(await lab.call('208')));
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a browser that speaks nothing but Opus hears itself, and is heard by an agent of G.711', { skip }, async () => {
  const alone = await dial('600', '207', /^(opus|telephone-event)\//);
  assert.deepEqual(await codecs(alone), ['audio/opus']);
  await hears(alone, 'the echo', CALLER_HZ, AGENT_HZ);
  await alone.evaluate(() => globalThis.session.bye());
  await alone.context().close();

  const page = await phone('205');
  const caller = await dial('611', '207', /^(opus|telephone-event)\//);
  await button(page, 'Answer').click();
  await talks(page);
  assert.deepEqual(await codecs(page), ['audio/PCMU']);
  await hears(page, 'the agent hears the caller', CALLER_HZ, AGENT_HZ);
  await hears(caller, 'the caller hears the agent', AGENT_HZ, CALLER_HZ);
  await page.keyboard.press('x');
  await eventually('the call is over', async () => !(await lab.call('207')));
  for (const one of [caller, page]) await one.context().close();
});

test('after a reload in mid-call the call is there again', { skip }, async () => {
  const page = await phone('202');
  const caller = await call('610');
  await button(page, 'Answer').click();
  await talks(page);
  await hears(page, 'the agent hears the caller', CALLER_HZ, AGENT_HZ);
  await page.reload();
  await page.locator('.softphone .state.available').waitFor();
  await hears(page, 'the agent hears the caller after the reload', CALLER_HZ, AGENT_HZ);
  await hears(caller, 'the caller hears the agent after the reload', AGENT_HZ, CALLER_HZ);
  await talks(page);
  await page.keyboard.press('x');
  assert.equal(await caller.evaluate(() => globalThis.over), 'Terminated');
  assert.deepEqual(page.faults, []);
  await caller.context().close();
  await page.context().close();
});

test('a connection that is cut for five seconds costs the call nothing', { skip }, async () => {
  const wire = await Wire.to(lab.web);
  const page = await phone('203', { at: `http://${wire.address}/` });
  const caller = await call('611');
  await button(page, 'Answer').click();
  await talks(page);
  wire.cut();
  await page.locator('.softphone .state.not_responding').waitFor();
  await new Promise((done) => setTimeout(done, 5_000));
  await hears(caller, 'the voice goes its own way', AGENT_HZ, CALLER_HZ);
  wire.mend();
  await page.locator('.softphone .state.available').waitFor();
  await eventually('the phone is registered again', async () => (await lab.agent('203')).reachable);
  await hears(page, 'the agent hears the caller after the cut', CALLER_HZ, AGENT_HZ);
  await hears(caller, 'the caller hears the agent after the cut', AGENT_HZ, CALLER_HZ);
  await button(page, 'Hang up').click();
  assert.equal(await caller.evaluate(() => globalThis.over), 'Terminated');
  await caller.context().close();
  await page.context().close();
  wire.close();
});
