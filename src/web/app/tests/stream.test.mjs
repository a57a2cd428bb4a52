// The page and the stream of events: cut, caught up, and the session that ends.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, Lab, missing, Wire } from './lab.mjs';

const skip = missing();
let lab;
before(async () => {
  if (!skip) lab = await Lab.start();
});
after(() => lab?.close());

test('after a cut the page has what happened meanwhile, from where it was', { skip }, async () => {
  const wire = await Wire.to(lab.web);
  const page = await lab.page();
  await lab.logIn(page, 'supervisor', `http://${wire.address}/`);
  const row = page.getByRole('row', { name: /Agent 201/ });
  await lab.phone('201');
  await row.locator('.state.available').waitFor();

  const frames = [];
  page.on('websocket', (socket) => socket.on('framereceived', (frame) => frames.push(JSON.parse(frame.payload))));
  wire.cut();
  await page.getByText('Connection lost').waitFor();
  wire.requests.length = 0;
  for (const reason of ['break', 'lunch', 'meeting']) await lab.api('POST', '/agents/201/state', { state: 'paused', reason });
  await lab.api('POST', '/agents/202/state', { state: 'available' }).catch(() => {});
  wire.mend();
  await row.getByText('Paused · meeting').waitFor();
  await page.getByText('Connection lost').waitFor({ state: 'detached' });

  const opened = wire.requests.filter((line) => line.includes('/events?since='));
  assert.ok(opened.length >= 1, `the stream was opened anew: ${wire.requests}`);
  const since = Number(/since=(\d+)/.exec(opened.at(-1))[1]);
  assert.equal(frames[0].seq, since + 1, 'it goes on with the event after the last one seen');
  assert.ok(frames.every((frame, n) => frame.seq === since + 1 + n), 'no event is missing and none comes twice');
  const reasons = frames.filter((frame) => frame.type === 'agent' && frame.id === '201').map((frame) => frame.reason);
  assert.deepEqual(reasons.filter((reason) => reason), ['break', 'lunch', 'meeting']);
  assert.equal(wire.requests.filter((line) => line.includes('/api/v1/calls ')).length, 0, 'the lists are not read again');
  assert.deepEqual(page.faults, []);
  wire.close();
  await page.context().close();
});

test('after a restart of the server the lists are read again, and the session goes on', { skip }, async () => {
  const page = await lab.page();
  await lab.logIn(page, 'supervisor');
  await page.getByRole('row', { name: /Agent 201/ }).waitFor();
  await lab.stopRelais();
  await page.getByText('Connection lost').waitFor();
  await lab.run();
  await page.getByText('Connection lost').waitFor({ state: 'detached' });
  await lab.phone('203');
  await page.getByRole('row', { name: /Agent 203/ }).locator('.state.available').waitFor();
  await page.context().close();
});

test('a session that is over leads to the log-in', { skip }, async () => {
  const page = await lab.page();
  await lab.logIn(page, '209');
  const { tokens } = await lab.api('GET', '/tokens');
  const session = tokens.find((token) => token.session?.user === '209');
  await lab.api('DELETE', `/tokens/${session.id}`);
  await page.getByText('Your session is over. Log in again.').waitFor({ timeout: 30_000 });
  await eventually('nothing of the centre is left on the page', async () => (await page.locator('.desk').count()) === 0);
  await page.context().close();
});
