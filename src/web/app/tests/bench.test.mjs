// The operator's bench: plans as pictures, edited, and tried before anybody hears them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { BenchLab, button, editor, endOf, settled, tab } from './bench.mjs';
import { eventually, looks, missing } from './lab.mjs';

const skip = missing();
let bench;
before(async () => {
  if (!skip) bench = await BenchLab.start();
});
after(() => bench?.lab.close());

test('the files are listed, and a plan is a picture whose rules lead to their lines', { skip }, async () => {
  const page = await bench.at('601-menu.toml');
  for (const name of ['600-echo.toml', '620-closed.toml', 'service-desk.toml']) assert.equal(await page.locator('.file-row', { hasText: name }).count(), 1, name);
  await settled(page);
  const picture = page.getByRole('region', { name: 'Picture of plan front-desk' });
  const rule = picture.getByRole('button', { name: /^menu again, rule 1\. When: wish == 'hours'\. Runs: jump.*Leads to: menu/ });
  await rule.waitFor();
  assert.equal(await picture.getByRole('button').count(), 6, 'a button a rule');
  assert.ok((await picture.locator('path.edge.back').count()) >= 1, 'the jump back is drawn as one');
  await looks(page, 'bench-picture');
  await rule.focus();
  await page.keyboard.press('Enter');
  const active = editor(page, '601-menu.toml').locator('.cm-activeLine');
  await eventually('the cursor stands in the rule', async () => (await active.innerText()) === 'module = "jump"');
  await picture.locator('.rule.here', { hasText: 'jump' }).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('while one types, findings come, keys and names are completed, and drafts outlive a look elsewhere', { skip }, async () => {
  const page = await bench.at('610-sales.toml');
  await endOf(page, '610-sales.toml', 'module = "distribute"');
  await page.keyboard.press('Enter');
  await page.keyboard.type('in');
  await page.getByRole('option', { name: 'in', exact: true }).waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('ControlOrMeta+z');
  await endOf(page, '610-sales.toml', 'queue = "sales"');
  for (let n = 0; n < 'sales" }'.length; n += 1) await page.keyboard.press('Backspace');
  await page.keyboard.type('su');
  const option = page.getByRole('option', { name: 'support' });
  await option.waitFor();
  await looks(page, 'bench-completion');
  await page.keyboard.press('Escape');
  await page.keyboard.type('pprt" }');
  const finding = page.getByRole('button', { name: /Error: .*supprt/ });
  await finding.waitFor();
  await page.locator('.cm-lint-marker-error').waitFor();
  await page.getByLabel('Errors: 1').waitFor();
  assert.equal(await button(page, 'Activate… (errors)').isEnabled(), true);
  await looks(page, 'bench-findings');

  await page.locator('.file-row', { hasText: '611-support.toml' }).click();
  await editor(page, '611-support.toml').waitFor();
  await finding.click();
  await editor(page, '610-sales.toml').waitFor();
  assert.match(await editor(page, '610-sales.toml').innerText(), /supprt/, 'the draft is there still');
  await page.reload();
  await page.locator('.file-row', { hasText: '610-sales.toml' }).click();
  await editor(page, '610-sales.toml').waitFor();
  assert.match(await editor(page, '610-sales.toml').innerText(), /supprt/, 'and after the page is loaded anew');
  assert.doesNotMatch(readFileSync(bench.onDisk('610-sales.toml'), 'utf8'), /supprt/);
  await button(page, 'Discard the draft').click();
  await settled(page);
  assert.doesNotMatch(await editor(page, '610-sales.toml').innerText(), /supprt/);
  await page.getByText('Nothing is changed.').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('completion knows tables, modules, what a module takes, and the names that there are', { skip }, async () => {
  const page = await bench.at('600-echo.toml');
  await endOf(page, '600-echo.toml', 'module = "hangup"');
  const take = async (typed, option) => {
    await page.keyboard.type(typed);
    await page.getByRole('option', { name: option, exact: true }).click();
    await page.getByRole('option').first().waitFor({ state: 'hidden' });
  };
  await page.keyboard.press('Enter');
  await take('[[lev', '[[level.rule]]');
  await page.keyboard.press('Enter');
  await take('mod', 'module');
  await take('distr', 'distribute');
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await take('in', 'in');
  await take('max_w', 'max_wait_s');
  await page.keyboard.type('60, ');
  await take('que', 'queue');
  await take('sup', 'support');
  const lines = await editor(page, '600-echo.toml').locator('.cm-line').allTextContents();
  const at = lines.indexOf('module = "hangup"');
  assert.deepEqual(lines.slice(at + 1, at + 4), ['[[level.rule]]', 'module = "distribute"', 'in = { max_wait_s = 60, queue = "support" }']);
  await button(page, 'Discard the draft').click();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a draft is traced, tested and compared before anybody hears it', { skip }, async () => {
  const page = await bench.at('610-sales.toml');
  await endOf(page, '610-sales.toml', 'queue = "sales"');
  for (let n = 0; n < 'sales" }'.length; n += 1) await page.keyboard.press('Backspace');
  await page.keyboard.type('support" }');
  await page.keyboard.press('Escape');
  await settled(page);

  await tab(page, 'Trace');
  await page.getByLabel('Dialled number').fill('610');
  await page.getByLabel('Caller', { exact: true }).fill('+33155501');
  await page.getByLabel('Keys pressed').press('Enter');
  const way = page.getByRole('region', { name: 'The way of the call' });
  await way.getByText('support', { exact: true }).first().waitFor();
  await way.getByText('loopback', { exact: true }).first().waitFor();
  const trunk = page.getByRole('combobox', { name: /^Trunk/ });
  await trunk.selectOption('branch');
  await page.getByLabel('Keys pressed').press('Enter');
  await way.getByText('branch', { exact: true }).first().waitFor();
  await looks(page, 'bench-trace');
  await tab(page, 'Picture');
  await page.getByText('Marked: the way of the traced call to 610').waitFor();
  assert.equal(await page.locator('.rule.taken').count(), 1);
  await tab(page, 'Trace');
  await page.getByLabel('Dialled number').fill('602');
  await page.getByLabel('Dialled number').press('Enter');
  await page.getByRole('alert').getByText(/trunk 'branch' does not offer plan/).waitFor();
  await trunk.selectOption('');
  await page.getByLabel('What the caller says, a line each').fill('when are you open on Saturdays\nno thank you');
  await button(page, 'Show the way').click();
  // Weighed by the encoder, which a debug build does slowly.
  const talk = page.getByRole('region', { name: 'Talk with bot service-desk' });
  await talk.getByText('when are you open on Saturdays').waitFor({ timeout: 60_000 });
  await talk.getByText(/^opening_hours \d+%$/).waitFor();
  assert.equal(await talk.getByText('not understood').count(), 0);
  await talk.getByText('The bot settled it.').waitFor();
  await looks(page, 'bench-talk');
  await page.getByLabel('Dialled number').fill('699');
  await page.getByLabel('Dialled number').press('Enter');
  await page.getByRole('alert').getByText(/no plan has the number 699/).waitFor();

  await tab(page, 'Tests');
  await button(page, 'Run the tests').click();
  // Those of the bots weigh sentences, which a debug build does slowly.
  await page.getByText(/^\d+ of \d+ passed$/).waitFor({ timeout: 60_000 });
  const miss = page.locator('.tests li.failed').filter({ hasText: 'sales' }).first();
  await miss.getByText(/expected/).first().waitFor();
  await looks(page, 'bench-tests');

  await tab(page, 'Differences');
  const text = page.getByRole('region', { name: 'plans/610-sales.toml' });
  await text.locator('.cm-deletedChunk').waitFor();
  await page.getByText(/^[1-9]\d* of [\d,]+ go otherwise\.$/).waitFor();
  await looks(page, 'bench-diff');
  await button(page, 'Discard the draft').click();
  await page.getByText('The text has changed since: ask anew.').waitFor();
  await button(page, 'Compare with what runs').click();
  await page.getByText('Nothing differs from what runs.').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a supervisor sees no bench', { skip }, async () => {
  const page = await bench.lab.page();
  await bench.lab.logIn(page, 'supervisor', `http://${bench.lab.web}/bench`);
  await page.locator('.board').waitFor();
  assert.equal(await page.getByRole('link', { name: 'Bench' }).count(), 0);
  await page.context().close();
});
