// The desk's own phone: what it registers with, how it looks, and what goes wrong.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, Lab, looks, missing, Wire } from './lab.mjs';
import { microphoneOf } from './sound.mjs';

const skip = missing();
const AGENT_HZ = 660;

let lab;
before(async () => {
  if (!skip) lab = await Lab.start(undefined, microphoneOf(AGENT_HZ));
});
after(() => lab?.close());

const button = (page, name) => page.getByRole('button', { name });

/** A page that is the agent's phone and takes calls. */
async function phone(agent, { at = `http://${lab.web}/`, ...how } = {}) {
  const page = await lab.page(how);
  await lab.logIn(page, agent, at);
  await button(page, /^(Use this page as phone|Téléphoner par cette page)$/).click();
  await page.locator('.softphone .state.available').waitFor();
  await page.locator('.state-control .state.available').waitFor();
  return page;
}

test('a page that was the phone is it again after a reload, by a password of its own', { skip }, async () => {
  const page = await phone('201');
  assert.equal((await lab.agent('201')).reachable, true);
  await looks(page, 'phone-ready');
  await eventually('the microphone is heard', async () => Number(await page.locator('.softphone meter').getAttribute('value')) > 0.3);
  await button(page, 'Sound').click();
  await page.getByRole('combobox', { name: 'Microphone' }).waitFor();
  await looks(page, 'phone-sound');
  await page.keyboard.press('Escape');
  const lent = page.waitForResponse((answer) => answer.url().endsWith('/agents/201/phone'));
  await page.reload();
  const body = await (await lent).json();
  assert.equal(body.address, 'sip:201@relais.localhost');
  assert.notEqual(body.password, 'demo-201');
  await page.locator('.softphone .state.available').waitFor();
  assert.equal((await lab.agent('201')).reachable, true);
  await button(page, 'Switch off').click();
  await eventually('it is no phone any more', async () => !(await lab.agent('201')).reachable);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a connection that is cut for five seconds is made again', { skip }, async () => {
  const wire = await Wire.to(lab.web);
  const page = await phone('203', { at: `http://${wire.address}/` });
  wire.cut();
  await page.locator('.softphone .state.not_responding').waitFor();
  await eventually('nobody is put through', async () => !(await lab.agent('203')).reachable);
  await new Promise((done) => setTimeout(done, 5_000));
  wire.mend();
  await page.locator('.softphone .state.available').waitFor();
  await eventually('the phone is registered again', async () => (await lab.agent('203')).reachable);
  await page.context().close();
  wire.close();
});

test('a log-out ends the phone, and what goes wrong is said', { skip }, async () => {
  const page = await phone('204', { locale: 'fr-FR' });
  assert.equal((await lab.agent('204')).reachable, true);
  await button(page, /^Compte de/).click();
  await page.getByRole('menuitem', { name: /^Se déconnecter/ }).click();
  await page.getByLabel('Mot de passe').waitFor();
  await eventually('the phone is gone', async () => !(await lab.agent('204')).reachable);
  await page.context().close();

  const denied = await lab.page({ locale: 'fr-FR' });
  await denied.addInitScript(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
  });
  await lab.logIn(denied, '205');
  await button(denied, 'Téléphoner par cette page').click();
  await denied.getByText(/ne laisse pas cette page utiliser le microphone/).waitFor();
  await looks(denied, 'phone-denied-fr');
  assert.equal((await lab.agent('205')).reachable, false);
  assert.deepEqual(denied.faults, []);
  await denied.context().close();
});
