// What a bot learnt is on the desk before anybody answers; the desk of an agent whose phone stands beside the page.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, Lab, looks, missing, root } from './lab.mjs';
import { PlainCaller } from './plain.mjs';

const skip = missing();
const CALLER_HZ = 1_100;
/** Christmas Eve, as it is typed: in this bot it is nobody's business. */
const DAY = '2412';

/** The demo's prompts, with a reason that agents may announce callers by. */
function withReason() {
  const prompts = join(mkdtempSync(join(tmpdir(), 'relais-prompts-')), 'prompts');
  cpSync(join(root, 'prompts'), prompts, { recursive: true });
  const catalogue = join(prompts, 'prompts.toml');
  writeFileSync(catalogue, `${readFileSync(catalogue, 'utf8')}\n[briefing-late]\nen = "The order is late."\n`);
  cpSync(join(prompts, 'en/greeting.flac'), join(prompts, 'en/briefing-late.flac'));
  return prompts;
}

/** The demo's bot, which keeps the day of an appointment to itself. */
function discreet() {
  const bots = join(mkdtempSync(join(tmpdir(), 'relais-bots-')), 'bots');
  cpSync(join(root, 'dialplans/bots'), bots, { recursive: true });
  const bot = join(bots, 'service-desk.toml');
  writeFileSync(bot, readFileSync(bot, 'utf8').replace('name = "day"\n', 'name = "day"\nprivate = true\n'));
  return bots;
}

let lab;
before(async () => {
  if (skip) return;
  // Where nothing recognises speech, the bot is used by keys.
  lab = await Lab.start((config) =>
    config
      .replaceAll(/model = ".*models/g, 'model = "nowhere')
      .replace(/^prompts = .*$/m, `prompts = "${withReason()}"`)
      .replace(/^bots = .*$/m, `bots = ["${discreet()}/*.toml"]`),
  );
});
after(() => lab?.close());

const button = (page, name) => page.getByRole('button', { name });

test('what a bot learnt is there before the call is answered, and what is private is not', { skip }, async (t) => {
  const page = await lab.page({ height: 1_100 });
  await lab.logIn(page, '205');
  await lab.phone('205', { ringing: 8_000 });
  await page.locator('.state-control .state.available').waitFor();
  const caller = await PlainCaller.call(lab.sip, '602', '33155506001', CALLER_HZ);
  t.after(() => caller.close());
  // An appointment: the day, a time that is none, one that is, and that it was understood.
  for (const keys of ['4', DAY, '99#', '1430', '1']) caller.press(keys);
  await page.locator('.bot-talk').waitFor();
  await page.locator('.prompt').getByText('Your phone rings').waitFor();
  await page.getByText('What they want is a person’s business.').waitFor();
  const given = page.locator('.bot-talk .given');
  await given.getByText('appointment').waitFor();
  await given.getByText('14:30').waitFor();
  const transcript = page.getByRole('region', { name: /^Word for word/ });
  await transcript.getByText('What day would suit you?').waitFor();
  await transcript.getByText('hidden').waitFor();
  assert.ok((await transcript.getByText('by keys').count()) >= 4, 'each turn says how it was made');
  await given.getByText('99').waitFor();
  const shown = await page.locator('.hand').innerText();
  assert.doesNotMatch(shown, /2412|12-24|December/i, 'neither typed nor said');
  await looks(page, 'desk-bot');
  await page.locator('.hand header .state.talking').waitFor();
  await page.locator('.bot-talk').waitFor();
  caller.hangUp();
  await page.getByText('What it came to').waitFor();
  await page.locator('.bot-talk').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

const state = (page, name) => page.locator(`.hand header .state.${name}`).waitFor();

test('a desk phone is answered by the page, has the keypad there, and what to say', { skip }, async (t) => {
  const page = await lab.page();
  await lab.logIn(page, '202');
  await lab.phone('202', { scenario: 'agent_asked_to_answer' });
  await page.locator('.state-control .state.available').waitFor();
  const caller = await PlainCaller.call(lab.sip, '610', '33155506002', CALLER_HZ);
  t.after(() => caller.close());
  await page.getByText('Your phone rings: answer here, or lift the handset.').waitFor();
  await looks(page, 'desk-answer');
  await button(page, 'Answer').focus();
  await page.keyboard.press('r');
  await state(page, 'talking');
  await page.getByText('Say your name and that of the company.').waitFor();
  await page.keyboard.press('d');
  await page.getByRole('dialog', { name: 'Keypad' }).waitFor();
  await page.keyboard.type('12');
  await page.locator('.keypad').getByRole('button', { name: '#', exact: true }).click();
  await eventually('the caller hears the keys in order', async () => caller.keys === '12#');
  assert.equal(await page.locator('.keypad output').innerText(), '12#');
  await page.keyboard.press('Escape');
  await page.keyboard.press('x');
  await page.getByText('What it came to').waitFor();
  await eventually('the agent’s own day counts the call', async () =>
    (await page.getByRole('region', { name: 'Today' }).locator('.figure').first().innerText()).endsWith('1'),
  );
  assert.deepEqual(page.faults, []);
  await page.context().close();
  await lab.api('DELETE', '/agents/202/state');
});

test('a phone that cannot be asked to answer is said to need a hand', { skip }, async (t) => {
  const page = await lab.page();
  await lab.logIn(page, '201');
  await lab.phone('201', { ringing: 5_000 });
  await page.locator('.state-control .state.available').waitFor();
  const caller = await PlainCaller.call(lab.sip, '610', '33155506003', CALLER_HZ);
  t.after(() => caller.close());
  await button(page, 'Answer').click();
  await page.getByText('It cannot be answered from here: lift the handset.').waitFor();
  assert.equal(await button(page, 'Answer').count(), 0);
  await state(page, 'talking');

  // Whoever is asked hears first who calls and why.
  lab.expertPhone();
  await page.getByLabel('Announce the caller first').check();
  await page.getByLabel('With the reason').selectOption('The order is late.');
  await looks(page, 'desk-briefing');
  await button(page, 'Consult Expert 301').click();
  await page.getByText('Expert 301 is being told who calls.').waitFor();
  await looks(page, 'desk-briefed');
  await page.getByText('You talk with Expert 301; the caller hears music.').waitFor();
  await page.keyboard.press('b');
  await page.locator('.consultation').waitFor({ state: 'detached' });
  await page.keyboard.press('x');
  await page.getByText('What it came to').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
  await lab.api('DELETE', '/agents/201/state');
});

test('call-backs that are due in the agent’s queues are shown with their time, until they are taken back', { skip }, async () => {
  const page = await lab.page({ locale: 'fr-FR' });
  await lab.logIn(page, '203');
  await lab.phone('203');
  const at = new Date(Date.now() + 7_200_000);
  const { callback_id } = await lab.api('POST', '/callbacks', { number: '207', queue: 'sales', not_before: at.toISOString() });
  const due = page.getByRole('region', { name: 'Rappels à faire' });
  await due.getByText('207').waitFor();
  await due.getByText(/^à /).waitFor();
  await looks(page, 'desk-callbacks-fr');
  await lab.api('DELETE', `/callbacks/${callback_id}`);
  await due.getByText('Aucun').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
