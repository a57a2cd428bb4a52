// The way of a draft into use and back: with notes, past others who change files, and past faults.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { BenchLab, button, editor, settled, tab } from './bench.mjs';
import { eventually, looks, missing } from './lab.mjs';

const skip = missing();
let bench;
before(async () => {
  if (!skip) bench = await BenchLab.start();
});
after(() => bench?.lab.close());

test('a draft is activated with a note, stands in the history, and is rolled back', { skip }, async () => {
  const before = readFileSync(bench.onDisk('611-support.toml'), 'utf8');
  const page = await bench.at('611-support.toml');
  await editor(page, '611-support.toml').locator('.cm-line').first().click();
  await page.keyboard.press('Home');
  await page.keyboard.type('# For those who know.\n');
  await settled(page);
  await button(page, 'Activate…').click();
  const dialog = page.getByRole('dialog', { name: 'Activate the draft' });
  await dialog.getByLabel(/^Why/).fill('<b>so that</b> it is said');
  await looks(page, 'bench-activate');
  await dialog.getByRole('button', { name: 'Activate' }).click();
  await page.getByText('In use; files written: 1').waitFor();
  await eventually('the file is written', () => readFileSync(bench.onDisk('611-support.toml'), 'utf8') === `# For those who know.\n${before}`);
  await page.getByText('Nothing is changed.').waitFor();

  await tab(page, 'History');
  const entry = page.locator('.history > li').filter({ hasText: '<b>so that</b> it is said' });
  await entry.getByText('operator', { exact: true }).first().waitFor();
  await looks(page, 'bench-history');
  // Back to what was found before the first change.
  await page.locator('.history > li').filter({ hasText: 'Found changed on the disk' }).last().getByRole('button', { name: 'Roll back to this' }).click();
  const back = page.getByRole('dialog', { name: /^Back to/ });
  await back.locator('.cm-deletedChunk').waitFor();
  await looks(page, 'bench-rollback');
  await back.getByLabel(/^Why/).fill('it was better before');
  await back.getByRole('button', { name: 'Roll back' }).click();
  await page.getByText('The earlier version is in use.').waitFor();
  assert.equal(readFileSync(bench.onDisk('611-support.toml'), 'utf8'), before);
  await page.locator('.history > li').filter({ hasText: 'it was better before' }).waitFor();
  assert.doesNotMatch(await editor(page, '611-support.toml').innerText(), /For those who know/);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('what somebody else changed meanwhile is not overwritten unseen', { skip }, async () => {
  const page = await bench.at('600-echo.toml');
  await editor(page, '600-echo.toml').locator('.cm-line').first().click();
  await page.keyboard.press('Home');
  await page.keyboard.type('# Mine.\n');
  const theirs = `# Theirs.\n${readFileSync(bench.onDisk('600-echo.toml'), 'utf8')}`;
  writeFileSync(bench.onDisk('600-echo.toml'), theirs);
  await settled(page);
  await button(page, 'Activate…').click();
  const dialog = page.getByRole('dialog', { name: 'Activate the draft' });
  await dialog.getByRole('button', { name: 'Activate' }).click();
  await dialog.getByText('Somebody changed this file since you opened it.').waitFor();
  await looks(page, 'bench-conflict');
  assert.equal(readFileSync(bench.onDisk('600-echo.toml'), 'utf8'), theirs, 'nothing was written');
  await dialog.getByRole('button', { name: 'Put mine over theirs' }).click();
  await dialog.getByText('Somebody changed this file since you opened it.').waitFor({ state: 'hidden' });
  await eventually('it may be activated', () => dialog.getByRole('button', { name: 'Activate' }).isEnabled());
  await dialog.getByRole('button', { name: 'Activate' }).click();
  await page.getByText('In use; files written: 1').waitFor();
  assert.match(readFileSync(bench.onDisk('600-echo.toml'), 'utf8'), /^# Mine\./);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('what is wrong elsewhere on the disk is told when a draft is refused, and leads there', { skip }, async () => {
  const page = await bench.at('610-sales.toml');
  await page.locator('.file-row', { hasText: '611-support.toml' }).click();
  await editor(page, '611-support.toml').locator('.cm-line').first().click();
  await page.keyboard.press('Home');
  await page.keyboard.type('# Not yet.\n');
  await settled(page);
  await button(page, 'Activate…').click();
  const sound = readFileSync(bench.onDisk('610-sales.toml'), 'utf8');
  writeFileSync(bench.onDisk('610-sales.toml'), sound.replace('in = { queue = "sales" }', 'in = { queue = "nowhere" }'));
  const dialog = page.getByRole('dialog', { name: 'Activate the draft' });
  await dialog.getByRole('button', { name: 'Activate' }).click();
  const finding = dialog.getByRole('alert').getByRole('button', { name: /nowhere.*plans\/610-sales\.toml/ });
  await finding.waitFor();
  await looks(page, 'bench-refused');
  assert.doesNotMatch(readFileSync(bench.onDisk('611-support.toml'), 'utf8'), /Not yet/, 'nothing was written');
  await finding.click();
  await dialog.waitFor({ state: 'hidden' });
  await editor(page, '610-sales.toml').waitFor();
  assert.match(await editor(page, '610-sales.toml').innerText(), /nowhere/, 'the text of the disk is shown');
  writeFileSync(bench.onDisk('610-sales.toml'), sound);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a plan is added in French on a narrow screen, and removed again', { skip }, async () => {
  const page = await bench.lab.page({ width: 400, height: 900, locale: 'fr-FR' });
  await bench.lab.logIn(page, 'operator', `http://${bench.lab.web}/bench`);
  await button(page, 'Nouveau fichier').click();
  const dialog = page.getByRole('dialog', { name: 'Nouveau fichier' });
  await dialog.getByLabel('Nom, sans .toml').fill('../nuit');
  await dialog.getByRole('button', { name: 'Créer' }).click();
  await dialog.getByText(/Un nom est fait de/).waitFor();
  await dialog.getByLabel('Nom, sans .toml').fill('630-nuit');
  await dialog.getByRole('button', { name: 'Créer' }).click();
  await page.getByRole('textbox', { name: 'Texte de plans/630-nuit.toml' }).waitFor();
  await page.getByRole('region', { name: 'Schéma du plan 630-nuit' }).waitFor();
  await looks(page, 'bench-narrow');
  await button(page, /^Mettre en service…/).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Mettre en service' }).click();
  await page.getByText('En service ; fichiers écrits : 1').waitFor();
  assert.ok(existsSync(bench.onDisk('630-nuit.toml')));
  await page.getByRole('dialog').getByText(/630-nuit/).first().waitFor();
  await page.keyboard.press('Escape');
  await button(page, 'Supprimer plans/630-nuit.toml').click();
  await page.getByText(/Ce fichier disparaîtra/).waitFor();
  await button(page, /^Mettre en service…/).click();
  await eventually('it may be put into use', () => page.getByRole('dialog').getByRole('button', { name: 'Mettre en service' }).isEnabled());
  await page.getByRole('dialog').getByRole('button', { name: 'Mettre en service' }).click();
  await eventually('the file is gone', () => !existsSync(bench.onDisk('630-nuit.toml')));
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, 'nothing reaches beyond the screen');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
