// Lists that are longer than a page: all of it can be reached, little of it is drawn.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, Lab, looks, missing } from './lab.mjs';

const skip = missing();
const AGENTS = 500;

let lab;
before(async () => {
  if (skip) return;
  const crowd = `[[agent]]\nid = "1001..${1_000 + AGENTS}"\nname = "Agent {id}"\npassword = "demo-{id}"\nqueues = ["sales"]\n`;
  lab = await Lab.start((config) => `${config}\n${crowd}`);
});
after(() => lab?.close());

test('of five hundred agents those are drawn who are seen, and all are reached by key, filter and reader', { skip }, async () => {
  const page = await lab.page({ height: 1_100 });
  await lab.logIn(page, 'supervisor');
  const list = page.getByRole('region', { name: 'Agents' }).last();
  await list.getByRole('row', { name: /Agent 1001/ }).waitFor();
  const drawn = () => list.locator('tbody tr:not(.gap)').count();
  assert.ok((await drawn()) < 60, `${await drawn()} rows are drawn`);
  assert.equal(await list.getByRole('table').getAttribute('aria-rowcount'), String(AGENTS + 9 + 1), 'with the demo’s nine, and the headings');
  await list.focus();
  await page.keyboard.press('End');
  const last = list.getByRole('row', { name: /Agent 209/ });
  await last.waitFor();
  assert.equal(await last.getAttribute('aria-rowindex'), String(AGENTS + 9 + 1));
  await eventually('the last one is in sight', () => last.evaluate((row) => {
    const box = row.closest('.roomy').getBoundingClientRect();
    return row.getBoundingClientRect().bottom <= box.bottom + 1;
  }));
  assert.ok((await drawn()) < 60, `${await drawn()} rows are drawn at the end`);
  assert.equal(await list.getByRole('row', { name: /Agent 1001/ }).count(), 0);
  await looks(page, 'board-long');

  await page.getByLabel('Filter by name, number or queue').fill('1234');
  await list.getByRole('row', { name: /Agent 1234/ }).waitFor();
  await eventually('nobody else is left', async () => (await drawn()) === 1);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
