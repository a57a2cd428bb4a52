// What an agent does with the call in hand. Each asks the server, and the page shows what the server then says.
import { signal } from '@preact/signals';
import { api, type Call, Refused } from '../../api/client';
import { me } from '../../live/store';
import { briefing } from './briefing';
import { hand } from './own';

const of = (call: Call) => ({ path: { id: call.call_id } });

/** Nothing where no call is in hand: a key pressed in vain is no error. */
const withCall = (then: (call: Call) => Promise<unknown>) => async () => (hand.value ? then(hand.value) : undefined);

export const ownLeg = (call: Call) => {
  const agents = call.legs.filter((leg) => leg.role === 'agent');
  return agents.length === 1 ? agents[0] : agents.find((leg) => leg.address.includes(`:${me.value?.agent}@`));
};

export const isHeld = (call: Call) => call.state === 'holding';

export const toggleHold = withCall((call) =>
  isHeld(call) ? api.POST('/calls/{id}/resume', { params: of(call) }) : api.POST('/calls/{id}/hold', { params: of(call) }),
);
export const toggleMute = withCall((call) =>
  api.POST('/calls/{id}/mute', { params: of(call), body: { muted: !ownLeg(call)?.muted } }),
);
export const hangUp = withCall((call) => api.POST('/calls/{id}/hangup', { params: of(call) }));
export const consult = (to: string) =>
  withCall((call) => api.POST('/calls/{id}/consult', { params: of(call), body: { to, briefing: briefing() } }))();
export const transfer = (to: string) =>
  withCall((call) => api.POST('/calls/{id}/transfer', { params: of(call), body: { to, briefing: to.startsWith('queue:') ? undefined : briefing() } }))();

const whileConsulting = (then: (call: Call) => Promise<unknown>) => withCall(async (call) => (call.consult ? then(call) : undefined));
export const swap = whileConsulting((call) => api.POST('/calls/{id}/consult/swap', { params: of(call) }));
export const complete = whileConsulting((call) => api.POST('/calls/{id}/consult/complete', { params: of(call) }));
export const cancel = whileConsulting((call) => api.POST('/calls/{id}/consult/cancel', { params: of(call) }));
export const conference = whileConsulting((call) => api.POST('/calls/{id}/consult/conference', { params: of(call) }));

export const record = (state: 'on' | 'paused' | 'off') =>
  withCall((call) => api.POST('/calls/{id}/record', { params: of(call), body: { state } }))();

/** Whether the phone on the desk was asked to answer once, and cannot be. */
export const mustBeLifted = signal(false);

/** Asks the phone on the desk to answer. */
export const answer = withCall(async (call) => {
  try {
    await api.POST('/calls/{id}/answer', { params: of(call), body: {} });
  } catch (error) {
    if (!(error instanceof Refused && error.code === 'phone_cannot')) throw error;
    mustBeLifted.value = true;
  }
});

/** Keys on their way, in order; as many as one request takes go together. */
let keys = '';
let pressing = false;
const MOST_KEYS = 32;

export async function press(key: string) {
  keys += key;
  if (pressing) return;
  pressing = true;
  try {
    while (keys) {
      const digits = keys.slice(0, MOST_KEYS);
      keys = keys.slice(MOST_KEYS);
      await withCall((call) => api.POST('/calls/{id}/digits', { params: of(call), body: { digits } }))();
    }
  } finally {
    keys = '';
    pressing = false;
  }
}
