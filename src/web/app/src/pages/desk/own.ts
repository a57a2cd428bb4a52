// What belongs to the agent who looks at this page.
import { computed } from '@preact/signals';
import type { Call } from '../../api/client';
import { agents, calls, ended, type EndedCall, me } from '../../live/store';

export const own = computed(() => (me.value?.agent ? agents.value.get(me.value.agent) : undefined));

/** The call they are rung for, talk in or have handed over and not left. */
export const hand = computed<Call | undefined>(() => {
  const agent = own.value;
  if (!agent) return undefined;
  const named = agent.call_id ? calls.value.get(agent.call_id) : undefined;
  if (named) return named;
  return [...calls.value.values()].find((call) => call.agent === agent.id && call.state !== 'ending');
});

/** The call that they wrap up: over already, or gone on without them. */
export const wrapping = computed<EndedCall | Call | undefined>(() => {
  const agent = own.value;
  if (agent?.state !== 'wrap_up' || !agent.call_id) return undefined;
  return ended.value.get(agent.call_id) ?? calls.value.get(agent.call_id);
});
