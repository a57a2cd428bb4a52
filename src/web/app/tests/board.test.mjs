// The supervisor's pages with real calls on them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, Lab, looks, missing } from './lab.mjs';

const skip = missing();
let lab;
before(async () => {
  if (skip) return;
  lab = await Lab.start();
  // A little history: some are answered, one gives up.
  await lab.phone('201');
  await lab.phone('202');
  await lab.phone('203');
  await lab.caller('33155502001', '610', 2_500);
  await lab.caller('33155502002', '610', 3_000);
  await eventually('two calls were handled', async () => (await lab.api('GET', '/records?outcome=handled')).records.length >= 2);
});
after(() => lab?.close());

test('the board shows who waits and who talks, and a supervisor steers', { skip }, async () => {
  const page = await lab.page({ height: 1100 });
  await lab.logIn(page, 'supervisor');
  const row = (name) => page.getByRole('region', { name: 'Agents' }).getByRole('row', { name });
  await row(/Agent 201/).locator('.state').waitFor();
  await eventually('all are available', async () => (await page.getByRole('region', { name: 'Agents' }).locator('.state.available').count()) >= 3);
  const callers = ['33155502011', '33155502012', '33155502013', '33155502014', '33155502015'];
  for (const from of callers) await lab.caller(from, '610', 90_000);
  await eventually('three talk', async () => (await page.getByRole('region', { name: 'Agents' }).locator('.state.talking').count()) === 3);
  await page.getByRole('region', { name: 'Calls' }).locator('.state.queued').nth(1).waitFor();
  await page.getByText('Today by half-hour').waitFor();
  await page.locator('.chart canvas').waitFor();
  await looks(page, 'board');

  await page.getByRole('region', { name: 'Calls' }).getByRole('button', { name: 'Why is this caller here?' }).first().click();
  await page.getByRole('dialog').getByText('Levels of the matrix').waitFor();
  await page.getByRole('dialog').getByText('distribute').first().waitFor();
  await looks(page, 'board-trace');
  await page.keyboard.press('Escape');

  // The supervisor's own phone is rung to listen in.
  await lab.phone('209');
  await page.getByLabel('Your phone, for listening in').fill('209');
  await page.keyboard.press('Tab');
  await page.getByRole('button', { name: 'Actions for Agent 201' }).click();
  await page.getByRole('menuitem', { name: 'Listen' }).click();
  await eventually('a supervisor is on a call', async () =>
    (await lab.api('GET', '/calls')).calls.some((call) => call.legs.some((leg) => leg.role === 'supervisor')),
  );
  await page.getByRole('button', { name: 'Actions for Agent 204' }).click();
  await page.getByRole('menuitem', { name: 'Pause: training' }).click();
  await page.locator('.notice.error').or(row(/Agent 204/).getByText('Paused · training')).first().waitFor();
  assert.deepEqual(page.faults, []);

  const wall = await lab.page({ width: 1920, height: 1080 });
  await lab.logIn(wall, 'supervisor');
  await wall.goto(`http://${lab.web}/wall`);
  await wall.locator('.wall .tiles').waitFor();
  assert.equal(await wall.getByRole('button').count(), 0, 'a wallboard has nothing to press');
  await looks(wall, 'wall');
  await wall.context().close();
  for (const from of callers) await lab.hangUp(from);
  await page.context().close();
});

test('recordings are heard, and reports are the figures of the API with a CSV beside them', { skip }, async () => {
  await lab.caller('33155502021', '610', 60_000);
  const live = await eventually('they talk', async () => {
    const call = await lab.call('33155502021');
    return call?.state === 'talking' && call;
  });
  await lab.api('POST', `/calls/${live.call_id}/record`, { state: 'on' });
  await new Promise((done) => setTimeout(done, 1_500));
  await lab.hangUp('33155502021');
  const { records } = await eventually('a recorded call is over', async () => {
    const found = await lab.api('GET', '/records');
    return found.records.some((record) => record.recording_id) && found;
  });
  const page = await lab.page();
  await lab.logIn(page, 'supervisor');
  await page.getByRole('link', { name: 'Calls' }).click();
  await page.getByRole('region', { name: 'Calls that are over' }).getByRole('row').nth(2).waitFor();
  await page.getByRole('button', { name: /Play the recording/ }).first().click();
  const audio = page.locator('audio').first();
  await eventually('the browser plays it', () => audio.evaluate((element) => element.readyState >= 2 && element.duration > 0));
  await looks(page, 'records');
  const [named] = records;
  await page.getByLabel('Number contains').fill(named.from);
  await page.getByRole('button', { name: 'Search' }).click();
  await eventually('only that number is left', async () => {
    const rows = await page.getByRole('region', { name: 'Calls that are over' }).locator('tbody tr').allTextContents();
    return rows.length > 0 && rows.every((text) => text.includes(named.from));
  });

  await page.getByRole('link', { name: 'Reports' }).click();
  await page.getByRole('cell', { name: 'sales' }).first().waitFor();
  await looks(page, 'reports');
  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download CSV' }).click();
  const stream = await (await download).createReadStream();
  const csv = (await stream.toArray()).join('');
  assert.match(csv, /^from,to,queue,offered,/);
  assert.match(csv, /,sales,/);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('an agent sees no page of a supervisor', { skip }, async () => {
  const page = await lab.page();
  await lab.logIn(page, '208');
  await page.goto(`http://${lab.web}/board`);
  await page.locator('.desk').waitFor();
  assert.equal(await page.getByRole('link', { name: 'Reports' }).count(), 0);
  await page.context().close();
});
