// An agent whose network lets nothing through but a TURN server: a real one, and a browser that uses no other way.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { accessSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, freePort, Lab, missing } from './lab.mjs';
import { PlainCaller } from './plain.mjs';
import { heard, keepPeers, microphoneOf } from './sound.mjs';

const SERVER = '/usr/bin/turnserver';
const SECRET = 'known to both of them';
const AGENT_HZ = 660;
const CALLER_HZ = 1_100;
/** What is heard is this much louder than what is not. */
const CLEAR_DB = 25;

function without() {
  try {
    accessSync(SERVER);
    return missing();
  } catch {
    return `${SERVER} is not there`;
  }
}
const skip = without();

let lab;
let server;
let log = '';
before(async () => {
  if (skip) return;
  const port = await freePort();
  const options = { realm: 'relais', 'listening-ip': '127.0.0.1', 'relay-ip': '127.0.0.1', 'listening-port': port, 'min-port': 50_000, 'max-port': 50_099, 'static-auth-secret': SECRET, 'log-file': 'stdout', pidfile: '/dev/null' };
  const flags = ['use-auth-secret', 'allow-loopback-peers', 'no-tls', 'no-dtls', 'no-cli', 'verbose', 'simple-log'];
  const args = ['-n', ...Object.entries(options).map(([name, value]) => `--${name}=${value}`), ...flags.map((flag) => `--${flag}`)];
  server = spawn(SERVER, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [server.stdout, server.stderr]) {
    stream.on('data', (text) => {
      log += text;
    });
  }
  await eventually('the TURN server listens', () => log.includes(`UDP listener opened on: 127.0.0.1:${port}`));
  lab = await Lab.start((config, folder) => {
    writeFileSync(join(folder, 'turn.secret'), `${SECRET}\n`);
    return `${config}\n[web.turn]\nurls = ["turn:127.0.0.1:${port}?transport=udp"]\nsecret_file = "turn.secret"\n`;
  }, microphoneOf(AGENT_HZ));
});
after(async () => {
  await lab?.close();
  server?.kill('SIGKILL');
});

test('an agent behind a network that lets nothing else through is reached by way of a TURN server', { skip }, async () => {
  const page = await lab.page();
  await page.addInitScript(() => {
    const Direct = globalThis.RTCPeerConnection;
    globalThis.RTCPeerConnection = class extends Direct {
      constructor(configuration) {
        super({ ...configuration, iceTransportPolicy: 'relay' });
      }
    };
  });
  await keepPeers(page);
  await lab.logIn(page, '201');
  await page.getByRole('button', { name: 'Use this page as phone' }).click();
  await page.locator('.softphone .state.available').waitFor();
  const caller = await PlainCaller.call(lab.sip, '610', '33155501111', CALLER_HZ);
  await page.getByText('A call rings here.').waitFor();
  await page.keyboard.press('r');
  await page.locator('.hand header .state.talking').waitFor();
  await eventually('the agent hears the caller', async () => {
    const [wanted, rest] = await heard(page, [CALLER_HZ, AGENT_HZ]);
    return wanted - rest > CLEAR_DB;
  });
  await eventually('the caller hears the agent', () => {
    const [wanted, rest] = caller.hears([AGENT_HZ, CALLER_HZ]);
    return wanted > -40 && wanted - rest > CLEAR_DB;
  });
  // A browser may send by a way before it has nominated it.
  const way = await eventually('the browser has chosen a way', () =>
    page.evaluate(async () => {
      const stats = [...(await globalThis.peers.at(-1).getStats()).values()];
      const pair = stats.find((one) => one.type === 'candidate-pair' && one.nominated);
      return pair && stats.find((one) => one.id === pair.localCandidateId).candidateType;
    }),
  );
  assert.equal(way, 'relay');
  assert.match(log, /user <\d+:201>/, 'the server knows the name that Relais lent');
  await page.keyboard.press('x');
  await eventually('the caller is told of the end', () => caller.over);
  caller.close();
  assert.deepEqual(page.faults, []);
});
