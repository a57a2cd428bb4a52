// Three on a call, one or two of them agents in browsers: who hears whom is told by tones at every ear.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { browser, eventually, Lab, looks, missing } from './lab.mjs';
import { PlainCaller, PlainPhone } from './plain.mjs';
import { heard, keepPeers, microphoneOf } from './sound.mjs';

const skip = missing();
const AGENT_HZ = 660;
const COLLEAGUE_HZ = 1_730;
const CALLER_HZ = 1_100;
const EXPERT_HZ = 2_350;
/** What is heard is this much louder than what is not. */
const CLEAR_DB = 20;
/** What nobody says is no louder than this. */
const SILENT_DB = -60;

let lab;
let colleagues;
before(async () => {
  if (skip) return;
  lab = await Lab.start(undefined, microphoneOf(AGENT_HZ));
  colleagues = await browser(microphoneOf(COLLEAGUE_HZ));
});
after(async () => {
  await colleagues?.close();
  await lab?.close();
});

const button = (page, name) => page.getByRole('button', { name });
const inState = (page, name) => page.locator(`.hand header .state.${name}`).waitFor();

/** A page that is the agent's phone. */
async function phone(agent, from) {
  const page = await lab.page({ browser: from });
  await keepPeers(page);
  await lab.logIn(page, agent);
  await button(page, 'Use this page as phone').click();
  await page.locator('.softphone .state.available').waitFor();
  await page.locator('.state-control .state.available').waitFor();
  return page;
}

/** Waits until an ear hears each of these tones, and the others far below the quietest of them. */
async function hears(what, ear, tones, others) {
  const listen = (all) => (ear.hears ? ear.hears(all) : heard(ear, all));
  await eventually(what, async () => {
    const levels = await listen([...tones, ...others]);
    const wanted = Math.min(...levels.slice(0, tones.length));
    const rest = Math.max(...levels.slice(tones.length));
    return wanted > SILENT_DB && wanted - rest > CLEAR_DB;
  });
}

test('an agent in a page asks an expert, brings them in, and leaves the caller with them', { skip }, async (t) => {
  const expert = await PlainPhone.at(lab.expert, EXPERT_HZ);
  t.after(() => expert.close());
  const page = await phone('201');
  const caller = await PlainCaller.call(lab.sip, '610', '33155508001', CALLER_HZ);
  t.after(() => caller.close());
  await button(page, 'Answer').click();
  await inState(page, 'talking');
  await hears('the caller hears the agent', caller, [AGENT_HZ], [CALLER_HZ, EXPERT_HZ]);
  await hears('the agent hears the caller', page, [CALLER_HZ], [AGENT_HZ, EXPERT_HZ]);

  await button(page, 'Consult Expert 301').click();
  await page.getByText('You talk with Expert 301; the caller hears music.').waitFor();
  await hears('the expert hears the agent alone', expert, [AGENT_HZ], [CALLER_HZ, EXPERT_HZ]);
  await hears('the agent hears the expert alone', page, [EXPERT_HZ], [CALLER_HZ, AGENT_HZ]);
  await button(page, 'Swap').click();
  await page.getByText('You are with the caller; Expert 301 waits.').waitFor();
  await hears('the agent hears the caller again', page, [CALLER_HZ], [EXPERT_HZ, AGENT_HZ]);
  await hears('the caller hears the agent again', caller, [AGENT_HZ], [CALLER_HZ, EXPERT_HZ]);

  await button(page, 'Conference').click();
  await inState(page, 'conference');
  await hears('the caller hears both', caller, [AGENT_HZ, EXPERT_HZ], [CALLER_HZ]);
  await hears('the agent hears both', page, [CALLER_HZ, EXPERT_HZ], [AGENT_HZ]);
  await hears('the expert hears both', expert, [CALLER_HZ, AGENT_HZ], [EXPERT_HZ]);
  await looks(page, 'three-conference');

  await button(page, 'Hang up').click();
  await page.getByText('What it came to').waitFor();
  await hears('the caller hears the expert', caller, [EXPERT_HZ], [CALLER_HZ, AGENT_HZ]);
  await hears('the expert hears the caller', expert, [CALLER_HZ], [AGENT_HZ, EXPERT_HZ]);
  caller.hangUp();
  await eventually('the expert is told of the end', async () => expert.over);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('an agent in a page asks a colleague in another, who gets the caller', { skip }, async (t) => {
  const [page, colleague] = [await phone('201'), await phone('207', colleagues)];
  const caller = await PlainCaller.call(lab.sip, '610', '33155508002', CALLER_HZ);
  t.after(() => caller.close());
  await button(page, 'Answer').click();
  await inState(page, 'talking');
  await button(page, 'Consult Agent 207').click();
  await colleague.getByText('A call rings here.').waitFor();
  await colleague.locator('.hand .caller').getByText('33155508002').waitFor();
  await looks(colleague, 'three-asked');
  await button(colleague, 'Answer').click();
  await page.getByText('You talk with Agent 207; the caller hears music.').waitFor();
  await hears('the colleague hears the agent alone', colleague, [AGENT_HZ], [CALLER_HZ, COLLEAGUE_HZ]);
  await hears('the agent hears the colleague alone', page, [COLLEAGUE_HZ], [CALLER_HZ, AGENT_HZ]);
  await page.keyboard.press('t');
  await page.getByText('What it came to').waitFor();
  await inState(colleague, 'talking');
  await hears('the caller hears the colleague', caller, [COLLEAGUE_HZ], [CALLER_HZ, AGENT_HZ]);
  await hears('the colleague hears the caller', colleague, [CALLER_HZ], [AGENT_HZ, COLLEAGUE_HZ]);
  await looks(colleague, 'three-handed-over');
  await button(colleague, 'Hang up').click();
  await eventually('the caller is told of the end', async () => caller.over);
  for (const one of [page, colleague]) {
    assert.deepEqual(one.faults, []);
    await one.context().close();
  }
});

test('a supervisor listens by a page, hears both, and is heard by nobody', { skip }, async (t) => {
  const page = await phone('201');
  const caller = await PlainCaller.call(lab.sip, '610', '33155508003', CALLER_HZ);
  t.after(() => caller.close());
  await button(page, 'Answer').click();
  await inState(page, 'talking');
  const ear = await phone('209', colleagues);
  const board = await lab.page();
  await lab.logIn(board, 'supervisor');
  await board.getByLabel('Your phone, for listening in').fill('209');
  await board.keyboard.press('Tab');
  const supervise = async (mode) => {
    await button(board, 'Actions for Agent 201').click();
    await board.getByRole('menuitem', { name: mode }).click();
  };
  await supervise('Listen');
  await button(ear, 'Answer').click();
  await ear.getByText('A call on this phone').waitFor();
  await hears('the supervisor hears both', ear, [CALLER_HZ, AGENT_HZ], [COLLEAGUE_HZ]);
  const silent = async () => {
    for (let times = 0; times < 3; times += 1) {
      await hears('the caller hears the agent alone', caller, [AGENT_HZ], [CALLER_HZ, COLLEAGUE_HZ]);
      await hears('the agent hears the caller alone', page, [CALLER_HZ], [AGENT_HZ, COLLEAGUE_HZ]);
      assert.ok(caller.hears([COLLEAGUE_HZ])[0] < SILENT_DB, 'nothing of the supervisor reaches the caller');
      assert.ok((await heard(page, [COLLEAGUE_HZ]))[0] < SILENT_DB, 'nothing of the supervisor reaches the agent');
    }
  };
  await silent();
  await looks(ear, 'three-listening');
  await supervise('Whisper');
  await hears('the agent hears the supervisor too', page, [CALLER_HZ, COLLEAGUE_HZ], [AGENT_HZ]);
  await hears('the caller does not', caller, [AGENT_HZ], [CALLER_HZ, COLLEAGUE_HZ]);
  await supervise('Listen');
  await hears('the supervisor is silent again', page, [CALLER_HZ], [AGENT_HZ, COLLEAGUE_HZ]);
  await silent();
  await ear.keyboard.press('x');
  await ear.getByText('A call on this phone').waitFor({ state: 'detached' });
  await hears('the talk goes on', caller, [AGENT_HZ], [CALLER_HZ, COLLEAGUE_HZ]);
  await page.keyboard.press('x');
  await eventually('the caller is told of the end', async () => caller.over);
  for (const one of [page, ear, board]) {
    assert.deepEqual(one.faults, []);
    await one.context().close();
  }
});
