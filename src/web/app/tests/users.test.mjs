// Users, as an administrator sees to them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { codeOf, eventually, Lab, looks, missing } from './lab.mjs';

const skip = missing();
const HOSTILE = '<img src=x onerror=alert(1)>';
const PASSWORD = 'correct horse battery';

let lab;
before(async () => {
  if (skip) return;
  lab = await Lab.start();
  // Somebody of the store, who can be changed: those of the demo stand in its configuration.
  await lab.user(['add', 'root', '--role', 'admin', '--called', 'Root'], PASSWORD);
});
after(() => lab?.close());

const button = (page, name) => page.getByRole('button', { name });
const dialog = (page) => page.getByRole('dialog');
const row = (page, name) => page.getByRole('row', { name });

async function logIn(page, user, password = PASSWORD) {
  await page.goto(`http://${lab.web}/users`);
  await page.getByLabel('Name', { exact: true }).fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await button(page, 'Log in').click();
}

async function atUsers(options) {
  const page = await lab.page(options);
  await logIn(page, 'root');
  await page.getByRole('table').waitFor();
  return page;
}

const told = async (id) => (await lab.api('GET', '/users')).users.find((user) => user.id === id);

test('somebody is added with an authenticator, whose secret is shown once, and logs in', { skip }, async () => {
  const page = await atUsers();
  await button(page, 'Add a user').click();
  await dialog(page).getByLabel(/^Log-in name/).fill('ada');
  await dialog(page).getByLabel('Name', { exact: true }).fill(HOSTILE);
  await dialog(page).getByLabel('Role').selectOption('agent');
  await dialog(page).getByLabel('Agent’s number').fill('208');
  await dialog(page).getByLabel(/^Password/).fill(PASSWORD);
  await dialog(page).getByLabel('Ask for a code of an authenticator').check();
  await looks(page, 'users-add');
  await dialog(page).getByRole('button', { name: 'Add a user' }).click();
  await dialog(page).getByRole('img', { name: /^QR code/ }).waitFor();
  const address = await dialog(page).locator('code.address').innerText();
  assert.match(address, /^otpauth:\/\/totp\//);
  const secret = await dialog(page).locator('code.secret').innerText();
  assert.equal(secret.replaceAll(' ', ''), new URL(address).searchParams.get('secret'));
  assert.ok((await dialog(page).locator('.qr .ink').getAttribute('d')).length > 2_000, 'the code is drawn');
  await looks(page, 'users-factor');
  await button(page, 'It is set up').click();
  await row(page, /ada .*208/).getByText(HOSTILE).waitFor();
  await looks(page, 'users');

  const ada = await lab.page();
  await logIn(ada, 'ada');
  await ada.getByLabel('Code of your authenticator').fill(codeOf(address));
  await button(ada, 'Log in').click();
  await ada.locator('.desk').waitFor();
  await ada.context().close();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('role and number are changed, the second factor and sessions end, the account is disabled and removed', { skip }, async () => {
  await lab.user(['add', 'bob', '--role', 'agent', '--agent', '209', '--called', 'Bob'], PASSWORD);
  const page = await atUsers();
  const bob = await lab.page();
  await logIn(bob, 'bob');
  await bob.locator('.desk').waitFor();

  await page.reload();
  await button(page, 'Change bob').click();
  await dialog(page).getByLabel('Role').selectOption('supervisor');
  assert.equal(await dialog(page).getByLabel('Agent’s number').count(), 0, 'only agents have a number');
  await dialog(page).getByLabel('Language of the pages').selectOption('fr');
  await dialog(page).getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  await bob.getByText('Your session is over. Log in again.').waitFor();
  assert.deepEqual([(await told('bob')).role, (await told('bob')).agent, (await told('bob')).language], ['supervisor', null, 'fr']);

  await dialog(page).getByRole('button', { name: 'Set up an authenticator' }).click();
  await dialog(page).getByRole('img', { name: /^QR code/ }).waitFor();
  await looks(page, 'users-change');
  await dialog(page).getByRole('button', { name: 'Ask for the password alone' }).click();
  await page.getByText('The second factor is off.').waitFor();
  assert.equal((await told('bob')).second_factor, false);
  await dialog(page).getByLabel(/^New password/).fill('another long password');
  await dialog(page).getByRole('button', { name: 'Set the password' }).click();
  await page.getByText('The password is set; the sessions are over.').waitFor();

  await logIn(bob, 'bob', 'another long password');
  await bob.locator('.board').first().waitFor();
  await page.reload();
  await button(page, 'Change bob').click();
  await dialog(page).getByRole('button', { name: 'Log out everywhere' }).click();
  await bob.getByText(/Your session is over|Votre session/).waitFor();
  await dialog(page).getByLabel('May not log in').check();
  await dialog(page).getByRole('button', { name: 'Save' }).click();
  await eventually('it is disabled', async () => (await told('bob')).disabled);
  await dialog(page).getByRole('button', { name: 'Remove bob' }).click();
  await dialog(page).getByRole('button', { name: 'Cancel' }).click();
  assert.ok(await told('bob'), 'not before somebody is sure');
  await dialog(page).getByRole('button', { name: 'Remove bob' }).click();
  await dialog(page).getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('Removed: bob').waitFor();
  assert.equal(await told('bob'), undefined);
  assert.deepEqual(page.faults, []);
  await page.context().close();
  await bob.context().close();
});

test('nobody locks themselves out, those of the configuration are told so, and a refusal is told', { skip }, async () => {
  const page = await atUsers({ width: 400, height: 900 });
  await button(page, 'Change root').click();
  await dialog(page).getByText(/^Nobody removes or disables themselves/).waitFor();
  assert.equal(await dialog(page).getByRole('button', { name: /^Remove/ }).count(), 0);
  assert.equal(await dialog(page).getByLabel('Role').isDisabled(), true);
  await page.keyboard.press('Escape');
  await button(page, 'Change supervisor').click();
  await dialog(page).getByText(/^This user stands in relais.toml/).waitFor();
  assert.equal(await dialog(page).getByRole('button', { name: 'Save' }).count(), 0);
  await page.keyboard.press('Escape');
  await button(page, 'Add a user').click();
  await dialog(page).getByLabel(/^Log-in name/).fill('root');
  await dialog(page).getByLabel('Role').selectOption('operator');
  await dialog(page).getByLabel(/^Password/).fill(PASSWORD);
  await dialog(page).getByRole('button', { name: 'Add a user' }).click();
  await dialog(page).getByRole('alert').getByText('root').waitFor();
  await looks(page, 'users-refused');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('an operator sees no users', { skip }, async () => {
  const page = await lab.page();
  await lab.logIn(page, 'operator', `http://${lab.web}/users`);
  await page.locator('.board').waitFor();
  assert.equal(await page.getByRole('link', { name: 'Users' }).count(), 0);
  assert.equal(await page.getByRole('link', { name: 'Bench' }).count(), 1);
  await page.context().close();
});
