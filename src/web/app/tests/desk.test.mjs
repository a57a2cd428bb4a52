// An agent's day at the desk: real calls, the page in a real browser.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { codeOf, eventually, Lab, looks, missing } from './lab.mjs';

const skip = missing();
/** As a caller may call themselves, in a SIP address. */
const HOSTILE_CALLER = '%3Cimg%20src=x%20onerror=alert(1)%3E';
const HOSTILE_NAME = '<img src=x onerror=alert(2)>';

let lab;
before(async () => {
  if (skip) return;
  lab = await Lab.start((config) => config.replace('id = "205..206"\nname = "Agent {id}"', `id = "205..206"\nname = "${HOSTILE_NAME} {id}"`));
});
after(() => lab?.close());

const button = (page, name) => page.getByRole('button', { name });

test('a wrong password is told, and a right one opens the desk', { skip }, async () => {
  const page = await lab.page();
  await page.goto(`http://${lab.web}/`);
  await page.getByLabel('Name').fill('201');
  await page.getByLabel('Password').fill('demo-202');
  await button(page, 'Log in').click();
  await page.getByText('Name, password or code are not right.').waitFor();
  await looks(page, 'login-wrong');
  await page.getByLabel('Password').fill('demo-201');
  await button(page, 'Log in').click();
  await page.getByText('Choose “Available” to take calls.').waitFor();
  assert.equal(await page.evaluate(() => document.cookie), '', 'no script sees the session');
  const begun = Date.now();
  await page.reload();
  await page.locator('.desk').waitFor();
  console.log(`# from reload to the desk: ${Date.now() - begun} ms`);
  await button(page, /Account of/).click();
  await page.getByRole('menuitem', { name: 'Log out of this page' }).click();
  await page.getByLabel('Password').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a user who is made beside the server logs in with an authenticator, until they are removed', { skip }, async () => {
  const said = await lab.user(['add', 'ada', '--role', 'agent', '--agent', '208', '--called', 'Ada <i>Martin</i>', '--totp'], 'correct horse');
  const address = /otpauth:\S+/.exec(said)[0];
  const page = await lab.page();
  await page.goto(`http://${lab.web}/`);
  await page.getByLabel('Name').fill('Ada');
  await page.getByLabel('Password').fill('correct horse');
  await button(page, 'Log in').click();
  await page.getByLabel('Code of your authenticator').fill(codeOf(address));
  await button(page, 'Log in').click();
  await button(page, 'Account of Ada <i>Martin</i>').waitFor();
  await lab.user(['remove', 'ada'], '');
  await page.getByText('Your session is over. Log in again.').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a call from ringing to its disposition, with hold, mute, recording, a consultation and a conference', { skip }, async () => {
  const page = await lab.page();
  await lab.logIn(page, '201');
  await lab.phone('201', { ringing: 2_500 });
  await page.locator('.state-control .state.available').waitFor();
  await looks(page, 'desk-idle');
  await lab.caller('33155501111', '610', 120_000);
  await page.getByText('Your phone rings: answer here, or lift the handset.').waitFor();
  await page.locator('.caller').getByText('33155501111').waitFor();
  await page.getByText('First contact from this number.').waitFor();
  await looks(page, 'desk-ringing');
  await button(page, 'Hold').waitFor();

  await button(page, 'Hold').click();
  await page.locator('.hand header .state.holding').waitFor();
  await page.keyboard.press('h');
  await page.locator('.hand header .state.talking').waitFor();
  await page.keyboard.press('m');
  await button(page, 'Unmute').waitFor();
  await page.keyboard.press('m');
  await button(page, 'Mute').waitFor();
  await button(page, 'Record').click();
  await page.getByText('Being recorded').waitFor();
  await button(page, 'Pause recording').click();
  await page.getByText('Recording paused').waitFor();

  await lab.phone('202');
  await page.getByRole('button', { name: 'Consult Agent 202' }).click();
  await page.getByText('You talk with Agent 202; the caller hears music.').waitFor();
  await looks(page, 'desk-consulting');
  await page.keyboard.press('s');
  await page.getByText('You are with the caller; Agent 202 waits.').waitFor();
  await page.keyboard.press('k');
  await page.locator('.hand header .state.conference').waitFor();
  await looks(page, 'desk-conference');
  await page.keyboard.press('x');
  await page.getByText('What it came to').waitFor();
  await page.getByRole('button', { name: 'Take calls', exact: true }).waitFor();
  await page.keyboard.press('w');
  await page.getByText('complaint').click();
  await page.getByText('Not resolved').click();
  await page.getByLabel('Note for whoever talks to them next').fill('the parcel is <b>late</b>');
  await looks(page, 'desk-wrap-up');
  await button(page, 'One minute more').click();
  await button(page, 'Save and take calls').click();
  await page.locator('.state-control .state.available').waitFor();
  await lab.hangUp('33155501111');

  const record = await eventually('the record has the disposition', async () => {
    const { records } = await lab.api('GET', '/records?number=33155501111');
    return records.find((one) => one.disposition === 'complaint');
  });
  assert.equal(record.resolved, false);
  assert.equal(record.note, 'the parcel is <b>late</b>');
  assert.ok(record.recording_id);

  // The same caller again: what was noted is there before anybody answers.
  await lab.api('POST', '/agents/202/state', { state: 'paused', reason: 'lunch' });
  await lab.caller('33155501111', '610', 60_000);
  await page.getByText('the parcel is <b>late</b>').waitFor();
  await page.locator('.contacts').getByText('complaint').waitFor();
  await button(page, 'Hang up').click();
  await page.getByRole('button', { name: 'Take calls', exact: true }).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('what callers and colleagues call themselves is text', { skip }, async () => {
  const page = await lab.page({ width: 390, height: 844, locale: 'fr-FR' });
  await lab.logIn(page, '203');
  await lab.phone('203', { ringing: 4_000 });
  await lab.caller(HOSTILE_CALLER, '611', 30_000);
  await page.locator('.caller').filter({ hasText: /img/ }).waitFor();
  await page.getByLabel('Nom, numéro ou +33…').fill('205');
  await page.locator('.people').getByText(`${HOSTILE_NAME} 205`).waitFor();
  assert.equal(await page.locator('img').count(), 1, 'the mark and nothing that somebody wrote');
  await looks(page, 'desk-phone-width-fr');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  assert.equal(wide, false, 'nothing is cut off at a phone’s width');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('experts show with their presence as it changes, and are consulted', { skip }, async () => {
  const page = await lab.page();
  await lab.logIn(page, '204');
  await lab.phone('204');
  await page.locator('.state-control .state.available').waitFor();
  const row = page.locator('.people li').filter({ hasText: 'Expert 302' });
  await row.locator('.state.unknown').waitFor();
  for (const state of ['busy', 'free']) {
    await lab.api('POST', '/experts/302/presence', { state });
    await row.locator(`.state.${state}`).waitFor();
  }
  for (const id of ['201', '202', '203']) await lab.api('POST', `/agents/${id}/state`, { state: 'paused', reason: 'meeting' }).catch(() => {});
  lab.expertPhone(1_500);
  await lab.caller('33155503001', '610', 60_000);
  await button(page, 'Consult Expert 301').click();
  await page.getByText('It rings at Expert 301; the caller hears music.').waitFor();
  await page.getByText('You talk with Expert 301; the caller hears music.').waitFor();
  await looks(page, 'desk-expert');
  await page.keyboard.press('t');
  await page.getByText('What it came to').waitFor();
  await page.locator('.state-control .state.wrap_up').waitFor();
  await lab.hangUp('33155503001');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the desk is used by keyboard alone', { skip }, async () => {
  const page = await lab.page();
  await page.goto(`http://${lab.web}/`);
  await page.getByLabel('Name').waitFor();
  await page.keyboard.type('207');
  await page.keyboard.press('Tab');
  await page.keyboard.type('demo-207');
  await page.keyboard.press('Enter');
  await page.locator('.desk').waitFor();
  await lab.phone('207');
  await page.locator('.state-control .state.available').waitFor();
  await page.keyboard.press('p');
  await page.getByRole('menuitem', { name: 'Pause: break' }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByText('Paused · break').waitFor();
  await page.keyboard.press('a');
  await page.locator('.state-control .state.available').waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('20a');
  assert.equal(await page.locator('.state-control .state.available').count(), 1, 'who writes does not steer');
  assert.equal(await page.getByLabel('Name, number or +33…').inputValue(), '20a');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
