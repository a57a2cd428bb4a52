// A real Relais on free ports, phones and callers played by SIPp, and Debian's Chromium.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, createHmac, X509Certificate } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { accessSync, chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { chromium } from 'playwright-core';

export const root = fileURLToPath(new URL('../../../..', import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
const binary = process.env.RELAIS_BIN ?? join(target, 'debug/relais');
export const scenarios = join(root, 'tests/phones/scenarios');
export const shots = process.env.RELAIS_SHOTS ?? join(target, 'web-shots');

/** Longer than anything here takes. */
export const PATIENCE = 20_000;

let nextPort = 20_000 + (process.pid % 4_000);

/** A UDP port that nobody has, below those that the system gives away, and never the same twice in a run. */
export async function freePort() {
  for (;;) {
    const port = nextPort;
    nextPort += 2;
    const socket = createSocket('udp4');
    const free = await new Promise((done) => {
      socket.once('error', () => done(false));
      socket.bind(port, '127.0.0.1', () => done(true));
    });
    socket.close();
    if (free) return port;
  }
}

export async function eventually(what, probe, patience = PATIENCE) {
  const until = Date.now() + patience;
  for (;;) {
    const found = await probe();
    if (found) return found;
    assert.ok(Date.now() < until, `waited in vain until ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

export const browser = (flags = [], executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium') =>
  chromium.launch({ executablePath, args: ['--no-sandbox', ...flags] });

/** For `Lab.start`: copies of the demo's files, so that pages may change them. */
export function ownFiles(config, folder) {
  cpSync(join(root, 'deploy/demo/plans'), join(folder, 'plans'), { recursive: true });
  cpSync(join(root, 'dialplans/bots'), join(folder, 'bots'), { recursive: true });
  cpSync(join(root, 'prompts'), join(folder, 'prompts'), { recursive: true });
  return config
    .replace(/^plans = .*$/m, 'plans = ["plans/*.toml"]')
    .replace(/^bots = .*$/m, 'bots = ["bots/*.toml"]')
    .replace(/^prompts = .*$/m, 'prompts = "prompts"');
}

/** A certificate for this machine and its key, in files, and the flag by which a browser trusts it as any other that is right. */
function certificate() {
  const folder = mkdtempSync(join(tmpdir(), 'relais-tls-'));
  const [file, key] = ['web.pem', 'web.key'].map((name) => join(folder, name));
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', ...kind, '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', file], { stdio: 'ignore' });
  chmodSync(key, 0o600);
  const pem = readFileSync(file, 'utf8');
  const known = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  const flag = `--ignore-certificate-errors-spki-list=${createHash('sha256').update(known).digest('base64')}`;
  return { file, key, pem, flag };
}

export class Lab {
  running = [];
  scheme = 'http';
  folder = mkdtempSync(join(tmpdir(), 'relais-web-'));
  /** Where the pages are, and what stands before the name in everybody's password. */
  host = '127.0.0.1';
  password = 'demo';

  /**
   * `change` may alter the demo's configuration, and put files into its folder; the browser takes `flags`, which may depend
   * on the lab. `more` may set another `host` and `password`, and the `executable` of the browser.
   */
  static async start(change = (text) => text, flags = [], rtp = undefined, { executable, ...more } = {}) {
    const lab = Object.assign(new Lab(), more);
    lab.rtp = rtp;
    lab.expert = await freePort();
    const demo = readFileSync(join(root, 'deploy/demo/relais.toml'), 'utf8');
    const config = change(
      demo
        .replaceAll('../../', root.endsWith('/') ? root : `${root}/`)
        .replace('"plans/*.toml"', `"${join(root, 'deploy/demo/plans')}/*.toml"`)
        .replace('watch = true', 'watch = false')
        .replace('127.0.0.1:5090', `127.0.0.1:${lab.expert}`),
      lab.folder,
    );
    writeFileSync(join(lab.folder, 'relais.toml'), config);
    await lab.run();
    lab.browser = await browser(typeof flags === 'function' ? flags(lab) : flags, executable);
    return lab;
  }

  /** The same with pages by TLS. */
  static async secure(change = (text) => text, flags = []) {
    const { file, key, pem, flag } = certificate();
    const table = `[web.tls]\ncertificate = "${file}"\nkey = "${key}"\n`;
    const lab = await Lab.start((config, folder) => `${change(config, folder)}\n${table}`, [...flags, flag]);
    return Object.assign(lab, { scheme: 'https', trusts: pem });
  }

  /** Where the pages are. */
  get origin() {
    return `${this.scheme}://${this.web}`;
  }

  async run() {
    const low = 36_000 + 2 * Math.floor(Math.random() * 1_000);
    this.rtp ??= `127.0.0.1:${low}-${low + 999}`;
    const args = ['run', '--config', join(this.folder, 'relais.toml'), '--data', join(this.folder, 'data'), '--rtp', this.rtp];
    args.push('--sip', `udp:127.0.0.1:${this.sip?.split(':')[1] ?? (await freePort())}`, '--web', `${this.host}:${this.web?.split(':')[1] ?? 0}`);
    this.relais = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.log = '';
    this.relais.stderr.on('data', (text) => {
      this.log += text;
    });
    const ready = await new Promise((done, fail) => {
      let out = '';
      this.relais.stdout.on('data', (text) => {
        out += text;
        const found = /ready sip=udp:(\S+) web=(\S+)/.exec(out);
        if (found) done(found);
      });
      this.relais.on('exit', (code) => fail(new Error(`relais ended with ${code}: ${this.log}`)));
      this.relais.on('error', fail);
    });
    [, this.sip, this.web] = ready;
    this.admin = readFileSync(join(this.folder, 'data/admin.token'), 'utf8').trim();
  }

  /** Lets the bots learn what they have not learnt on this machine yet: a debug build takes longer for it than a request may. */
  async learnt() {
    const [code] = await once(spawn(binary, ['test', '--config', join(this.folder, 'relais.toml')], { stdio: 'ignore' }), 'close');
    assert.equal(code, 0, 'the tests of the demo pass');
  }

  async stopRelais() {
    this.relais.removeAllListeners('exit');
    this.relais.kill('SIGKILL');
    await once(this.relais, 'exit');
  }

  async close() {
    for (const child of this.running) child.kill('SIGKILL');
    await this.browser?.close();
    if (this.relais.exitCode === null && this.relais.signalCode === null) await this.stopRelais();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The API as an administrator's program uses it. */
  async api(method, path, body) {
    const headers = { Authorization: `Bearer ${this.admin}`, ...(body ? { 'Content-Type': 'application/json' } : {}) };
    const { status, text } = await this.ask(`${this.origin}/api/v1${path}`, { method, headers }, body && JSON.stringify(body));
    assert.ok(status < 300, `${method} ${path}: ${status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  /** A request of a program that trusts our certificate, and follows nothing. */
  async ask(url, options = {}, body = undefined) {
    const { request } = url.startsWith('https:') ? https : http;
    const asked = request(url, { ca: this.trusts, agent: false, ...options });
    asked.end(body);
    const [answer] = await once(asked, 'response');
    let text = '';
    for await (const chunk of answer.setEncoding('utf8')) text += chunk;
    return { status: answer.statusCode, headers: answer.headers, text };
  }

  /** The call of a caller, in the hands of the administrator. */
  async call(from) {
    return (await this.api('GET', '/calls')).calls.find((call) => call.from === from);
  }

  async hangUp(from) {
    const call = await this.call(from);
    const leg = call?.legs.find((one) => one.role === 'caller');
    if (leg) await this.api('POST', `/calls/${call.call_id}/hangup`, { leg_id: leg.leg_id });
  }

  async agent(id) {
    return (await this.api('GET', '/agents')).agents.find((agent) => agent.id === id);
  }

  sipp(scenario, port, args) {
    const common = ['-sf', scenario.endsWith('.xml') ? scenario : join(scenarios, `${scenario}.xml`), '-i', '127.0.0.1', '-p', String(port), '-nostdin'];
    const media = ['-key', 'rtp_ip', '127.0.0.1', '-key', 'rtp_port', '9'];
    const child = spawn('sipp', [this.sip, ...common, ...media, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: this.folder,
      env: { ...process.env, TERM: 'dumb' },
    });
    child.said = '';
    child.stderr.on('data', (text) => {
      child.said += text;
    });
    this.running.push(child);
    return child;
  }

  /** Registers an agent and lets their phone play `scenario` for each call; it rings for `ringing` milliseconds. */
  async phone(id, { scenario = 'agent_picks_up', ringing = 300 } = {}) {
    const port = await freePort();
    const register = this.sipp('register', port, ['-key', 'agent', id, '-au', id, '-ap', `demo-${id}`, '-m', '1']);
    const [code] = await once(register, 'exit');
    assert.equal(code, 0, `agent ${id} registers: ${register.said}`);
    return this.sipp(scenario, port, ['-key', 'agent', id, '-d', String(ringing)]);
  }

  /** Somebody outside who answers when they are rung, at the place of expert 301. */
  expertPhone(ringing = 300) {
    return this.sipp('agent_picks_up', this.expert, ['-key', 'agent', '301', '-d', String(ringing)]);
  }

  /** A caller who stays for so many milliseconds. */
  async caller(from, to, stays) {
    return this.sipp('caller', await freePort(), ['-key', 'caller', from, '-s', to, '-d', String(stays), '-m', '1']);
  }

  /** `relais user …` beside the running server; gives what it prints. */
  async user(args, password) {
    const child = spawn(binary, ['user', ...args, '--data', join(this.folder, 'data')], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(`${password}\n`);
    let out = '';
    child.stdout.on('data', (text) => {
      out += text;
    });
    const [code] = await once(child, 'close');
    assert.equal(code, 0, `relais user ${args.join(' ')}`);
    return out;
  }

  /** A page of somebody's own, with what went wrong in it. */
  async page({ width = 1440, height = 900, locale = 'en-GB', browser = this.browser } = {}) {
    const context = await browser.newContext({ viewport: { width, height }, locale, reducedMotion: 'reduce' });
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    page.faults = [];
    page.on('pageerror', (error) => page.faults.push(String(error)));
    page.on('console', (message) => {
      // A policy that was broken, a script that failed: not the answers that the page asks for and handles.
      if (message.type() === 'error' && !/Failed to load resource|WebSocket connection/.test(message.text())) page.faults.push(message.text());
    });
    page.on('dialog', (dialog) => {
      page.faults.push(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    return page;
  }

  async logIn(page, user, at = `${this.origin}/`) {
    await page.goto(at);
    await page.getByLabel(/^(Name|Nom)$/).fill(user);
    await page.getByLabel(/^(Password|Mot de passe)$/).fill(`${this.password}-${user}`);
    await page.getByRole('button', { name: /^(Log in|Se connecter)$/ }).click();
    await page.locator('main#content').waitFor();
  }
}

/** The code of an authenticator now (RFC 6238), from the address that it was given. */
export function codeOf(address) {
  const secret = new URL(address).searchParams.get('secret');
  const bits = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((octet) => Number.parseInt(octet, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const hash = createHmac('sha1', key).update(step).digest();
  const at = hash[19] & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** Everything between browser and server, to be cut. */
export class Wire {
  sockets = new Set();
  up = true;
  requests = [];

  static async to(address) {
    const wire = new Wire();
    const [host, port] = address.split(':');
    wire.server = createServer((client) => {
      if (!wire.up) {
        client.destroy();
        return;
      }
      const server = connect(Number(port), host);
      for (const [one, other] of [[client, server], [server, client]]) {
        wire.sockets.add(one);
        one.on('error', () => {});
        one.on('close', () => {
          wire.sockets.delete(one);
          other.destroy();
        });
      }
      client.on('data', (data) => wire.requests.push(...(String(data).match(/^[A-Z]+ \/\S* HTTP/gm) ?? [])));
      client.pipe(server);
      server.pipe(client);
    });
    wire.server.listen(0, '127.0.0.1');
    await once(wire.server, 'listening');
    wire.address = `127.0.0.1:${wire.server.address().port}`;
    return wire;
  }

  cut() {
    this.up = false;
    for (const socket of this.sockets) socket.destroy();
  }

  mend() {
    this.up = true;
  }

  close() {
    this.cut();
    this.server.close();
  }
}

/** Serious faults for those who use a page without seeing it, or without a mouse. */
async function accessibilityFaults(page) {
  // The page's policy lets no foreign script in; the debugger's does not ask it.
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const serious = found.violations.filter((fault) => ['serious', 'critical'].includes(fault.impact));
  return serious.map((fault) => `${fault.id}: ${fault.nodes.map((node) => `${node.html} ${node.any.map((one) => one.message)}`).join(' | ')}`);
}

/** A picture of the page in light and in dark, in each of which nobody may be left out. */
export async function looks(page, name) {
  mkdirSync(shots, { recursive: true });
  await page.evaluate(() => globalThis.scrollTo(0, 0));
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.screenshot({ path: join(shots, `${name}-${colorScheme}.png`), fullPage: true });
    assert.deepEqual(await accessibilityFaults(page), [], `${name}, ${colorScheme}`);
  }
}

export function missing() {
  for (const program of [binary, process.env.CHROMIUM ?? '/usr/bin/chromium', '/usr/bin/sipp', '/usr/bin/openssl']) {
    try {
      accessSync(program);
    } catch {
      return `${program} is not there`;
    }
  }
  return false;
}
