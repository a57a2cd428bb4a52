// The phone in this page, as the rest of the page sees it. What speaks SIP is fetched when the phone is first used.
import { batch, effect, signal } from '@preact/signals';
import { Refused } from '../api/client';
import { me } from '../live/store';
import type { Softphone } from './softphone';
import { MicrophoneFault, openMicrophone, Ring, watchLevel } from './sound';

export type Status = 'off' | 'starting' | 'ready' | 'connecting';
export type Problem = 'no_permission' | 'no_microphone' | 'microphone_busy' | 'insecure' | 'not_registered' | 'fixed_phone' | 'call_failed';
export type Ringing = { from: string };

export const status = signal<Status>('off');
export const problem = signal<Problem | null>(null);
/** What rings here. */
export const ringing = signal<Ringing | null>(null);
/** A call is on this phone. */
export const busy = signal(false);
/** How loud the microphone is, from 0 to 1. */
export const level = signal(0);

const kept = (agent: string) => `relais.phone.${agent}`;
const ring = new Ring();
let phone: Softphone | null = null;
let microphone: MediaStream | null = null;
let unwatch = () => {};

/** Whether this machine is the agent's phone is remembered with it. */
export const wanted = () => Boolean(me.value?.agent && localStorage.getItem(kept(me.value.agent)) === 'on');

/** The page becomes the agent's phone. The microphone is asked for now, not when somebody waits on the line. */
export async function switchOn() {
  const agent = me.value?.agent;
  if (!agent || phone) return;
  batch(() => {
    status.value = 'starting';
    problem.value = null;
  });
  try {
    await useMicrophone();
    const { Softphone } = await import('./softphone');
    phone = await Softphone.start(agent, {
      stream: () => microphone,
      onStatus: (next) => {
        status.value = next;
        if (next === 'ready' && problem.value === 'not_registered') problem.value = null;
      },
      onProblem: (what) => {
        problem.value = what;
      },
      onRinging: (what) => {
        ringing.value = what;
      },
      onBusy: (what) => {
        busy.value = what;
      },
    });
    localStorage.setItem(kept(agent), 'on');
  } catch (error) {
    switchOff(false);
    problem.value = problemOf(error);
  }
}

/** The page is no phone any more; `forget` says that it shall not be one the next time either. */
export function switchOff(forget = true) {
  if (forget && me.value?.agent) localStorage.removeItem(kept(me.value.agent));
  phone?.stop();
  phone = null;
  unwatch();
  for (const track of microphone?.getTracks() ?? []) track.stop();
  microphone = null;
  batch(() => {
    status.value = 'off';
    ringing.value = null;
    busy.value = false;
    level.value = 0;
    problem.value = null;
  });
}

function problemOf(error: unknown): Problem {
  if (error instanceof MicrophoneFault) return error.problem;
  if (error instanceof Refused && error.code === 'fixed_phone') return 'fixed_phone';
  return 'not_registered';
}

/** Opens the microphone that is chosen, in the place of the one before. */
export async function useMicrophone() {
  const next = await openMicrophone(() => void useMicrophone().catch((error) => {
    problem.value = problemOf(error);
  }));
  unwatch();
  const before = microphone;
  microphone = next;
  unwatch = watchLevel(next, (loud) => {
    level.value = loud;
  });
  await phone?.replaceMicrophone(next);
  for (const track of before?.getTracks() ?? []) track.stop();
}

export const useSpeaker = () => phone?.useSpeaker();
export const answer = () => phone?.answer();
export const decline = () => phone?.decline();
export const sendKey = (key: string) => phone?.sendKey(key);

/** Nothing leaves this machine while the agent is muted, whatever the server does with it. */
export const mute = (on: boolean) => phone?.mute(on);

effect(() => {
  if (ringing.value) ring.start();
  else ring.stop();
});
