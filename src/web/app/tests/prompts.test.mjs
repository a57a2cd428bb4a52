// The prompts: heard, recorded from a microphone, uploaded, removed; and what is missing.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, Lab, looks, missing, ownFiles } from './lab.mjs';

const skip = missing();
const MICROPHONE = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required'];

let lab;
before(async () => {
  if (skip) return;
  lab = await Lab.start((config, folder) => {
    const own = ownFiles(config, folder);
    // A prompt that the French catalogue lacks.
    for (const name of readdirSync(join(folder, 'prompts/fr'))) if (name.startsWith('hours.')) rmSync(join(folder, 'prompts/fr', name));
    return own;
  }, MICROPHONE);
});
after(() => lab?.close());

const button = (page, name) => page.getByRole('button', { name });
const dialog = (page) => page.getByRole('dialog');
const cell = (page, name, language, state) => page.getByRole('button', { name: `${name}, ${language}: ${state}`, exact: true });

async function atPrompts(options) {
  const page = await lab.page({ height: 1000, ...options });
  await lab.logIn(page, 'operator', `http://${lab.web}/prompts`);
  await page.getByRole('table').waitFor();
  return page;
}

/** A WAV of 16 kHz with a tone of so many milliseconds. */
function tone(ms) {
  const samples = Math.round(16 * ms);
  const wav = Buffer.alloc(44 + 2 * samples);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(wav.length - 8, 4);
  wav.write('WAVEfmt ', 8);
  for (const [at, size, value] of [[16, 4, 16], [20, 2, 1], [22, 2, 1], [24, 4, 16_000], [28, 4, 32_000], [32, 2, 2], [34, 2, 16], [40, 4, 2 * samples]]) wav.writeUIntLE(value, at, size);
  wav.write('data', 36);
  for (let n = 0; n < samples; n += 1) wav.writeInt16LE(Math.round(8_000 * Math.sin(n / 4)), 44 + 2 * n);
  return wav;
}

test('every prompt stands there by language, is heard, and what is missing is told', { skip }, async () => {
  const page = await atPrompts();
  await cell(page, 'hours', 'French', 'Missing: heard in English').waitFor();
  await cell(page, 'menu', 'English', 'Made by a voice').waitFor();
  await cell(page, 'music/default', 'every language', 'Made by a voice').or(cell(page, 'music/default', 'every language', 'Recorded')).waitFor();
  await looks(page, 'prompts');
  const sound = page.waitForResponse((answer) => answer.url().includes('/prompts/sound'));
  await page.getByRole('button', { name: 'Play menu, English', exact: true }).click();
  assert.ok([200, 206].includes((await sound).status()));
  await page.getByRole('button', { name: 'Stop menu, English', exact: true }).waitFor();
  await page.getByLabel('Missing only').check();
  await eventually('only those are shown that lack something', async () => {
    const rows = await page.locator('tbody tr').allTextContents();
    return rows.length > 0 && rows.every((text) => text.includes('Missing'));
  });
  await page.getByLabel('Missing only').uncheck();
  assert.equal(await page.getByText('spoken-april').count(), 0);
  await page.getByLabel('Words of numbers and times too').check();
  await cell(page, 'spoken-april', 'French', 'Not in this language').waitFor();
  await page.getByLabel('Filter by name or words').fill('nothing like that');
  await page.getByText('No such prompts.').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a prompt is recorded from the microphone, listened to, and used', { skip }, async () => {
  const page = await atPrompts();
  await cell(page, 'hours', 'French', 'Missing: heard in English').click();
  await dialog(page).getByRole('button', { name: 'Record', exact: true }).click();
  await dialog(page).getByLabel('Level of the microphone').waitFor();
  await dialog(page).getByText(/^Length 0:0[2-9]$/).waitFor();
  await looks(page, 'prompts-recording');
  await dialog(page).getByRole('button', { name: 'Stop', exact: true }).click();
  await dialog(page).getByRole('button', { name: 'Listen', exact: true }).click();
  await dialog(page).getByRole('button', { name: 'Stop listening' }).waitFor();
  await dialog(page).getByRole('button', { name: 'Use this recording' }).click();
  await page.getByText('Callers hear the new recording.').waitFor();
  await cell(page, 'hours', 'French', 'Recorded').waitFor();
  const wav = readFileSync(join(lab.folder, 'prompts/fr/hours.wav'));
  assert.equal(wav.toString('latin1', 0, 4), 'RIFF');
  assert.ok(wav.length > 2 * 16_000 * 1.5, `two seconds at 16 kHz are there: ${wav.length} bytes`);
  let loudest = 0;
  for (let at = 44; at + 1 < wav.length; at += 2) loudest = Math.max(loudest, Math.abs(wav.readInt16LE(at)));
  assert.ok(loudest > 1_000, `what the microphone heard is in it: ${loudest}`);

  // It is taken away again, after a question.
  await cell(page, 'hours', 'French', 'Recorded').click();
  await dialog(page).getByRole('button', { name: 'Remove the recording' }).click();
  await dialog(page).getByText(/there is no way back/).waitFor();
  assert.ok(existsSync(join(lab.folder, 'prompts/fr/hours.wav')), 'not before somebody is sure');
  await dialog(page).getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('The recording is removed.').waitFor();
  await eventually('the file is gone', () => !existsSync(join(lab.folder, 'prompts/fr/hours.wav')));
  await page.keyboard.press('Escape');
  await cell(page, 'hours', 'French', 'Missing: heard in English').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a file is uploaded in the place of what a voice made; what is no sound is refused', { skip }, async () => {
  const page = await atPrompts();
  const bad = join(lab.folder, 'no-sound.wav');
  writeFileSync(bad, 'no sound at all');
  const good = join(lab.folder, 'tone.wav');
  writeFileSync(good, tone(700));
  await cell(page, 'menu', 'English', 'Made by a voice').click();
  await dialog(page).getByLabel('Upload a file').setInputFiles(bad);
  await page.locator('.notice.error').getByText(/the recording/).waitFor();
  await looks(page, 'prompts-refused');
  await dialog(page).getByLabel('Upload a file').setInputFiles(good);
  await cell(page, 'menu', 'English', 'Recorded').waitFor();
  assert.ok(existsSync(join(lab.folder, 'prompts/en/menu.wav')));
  const { entries } = await lab.api('GET', '/audit');
  const [entry] = entries.filter((one) => one.what === 'prompt_written' && one.subject === 'en/menu');
  assert.equal(entry.who, 'operator');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a new prompt gets a name and a first recording, in French on a narrow screen', { skip }, async () => {
  const page = await atPrompts({ width: 400, height: 900, locale: 'fr-FR' });
  await button(page, 'Nouvelle annonce').click();
  await page.getByLabel(/^Nom, comme les plans/).fill('Soldes !');
  await button(page, 'Continuer').click();
  await page.getByText(/Un nom est fait de minuscules/).waitFor();
  await page.getByLabel(/^Nom, comme les plans/).fill('soldes');
  await page.getByRole('combobox', { name: /^Langue/ }).selectOption({ label: 'Français' });
  await button(page, 'Continuer').click();
  const good = join(lab.folder, 'tone.wav');
  writeFileSync(good, tone(700));
  await looks(page, 'prompts-narrow');
  await dialog(page).getByLabel('Envoyer un fichier').setInputFiles(good);
  await button(page, 'soldes, Français : Enregistrée').waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, 'nothing reaches beyond the screen');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
