// The centre in a row of figures: on the board, and large on the wall.
import { computed } from '@preact/signals';
import { count, share, span } from '../../i18n';
import { s } from '../../i18n/staff';
import { agents, calls, queues } from '../../live/store';
import { Figure } from '../../ui/parts';
import { longestMs, thresholds } from './alerts';
import { levelTone, todayOf } from './queues';

/** Figures of all queues are sums of sums, never means of means. */
export const totals = computed(() => {
  const sum = (name: string) => [...queues.value.values()].reduce((total, queue) => total + (todayOf(queue)[name] ?? 0), 0);
  const judged = sum('answered') + sum('lost');
  const since = [...queues.value.values()].flatMap((queue) => queue.longest_waiting_since ?? []).sort();
  const inState = (...states: string[]) => [...agents.value.values()].filter((agent) => states.includes(agent.state)).length;
  return {
    waiting: [...queues.value.values()].reduce((total, queue) => total + queue.waiting, 0),
    longestSince: since[0] ?? null,
    level: judged > 0 ? sum('answered_in_time') / judged : null,
    handled: sum('handled'),
    abandoned: sum('abandoned'),
    available: inState('available'),
    talking: inState('talking', 'holding', 'ringing', 'reserved'),
    paused: inState('paused', 'wrap_up', 'not_responding'),
    active: calls.value.size,
  };
});

export function Tiles() {
  const all = totals.value;
  const longest = longestMs(all.longestSince);
  const late = longest != null && longest > thresholds.value.wait_s * 1000;
  return (
    <dl class="tiles">
      <Figure label={s('board.waiting')} value={count(all.waiting)} tone={all.waiting > thresholds.value.waiting ? 'alert' : ''} />
      <Figure label={s('board.longest')} value={span(longest)} tone={late ? 'alert' : ''} />
      <Figure label={s('board.sl')} hint={s('board.sl.long')} value={share(all.level)} tone={levelTone(all.level) ? 'alert' : ''} />
      <Figure label={s('board.handled')} value={count(all.handled)} />
      <Figure label={s('board.abandoned')} value={count(all.abandoned)} />
      <Figure label={s('board.active')} value={count(all.active)} />
      <Figure label={s('board.available')} value={count(all.available)} />
      <Figure label={s('board.talking')} value={count(all.talking)} />
      <Figure label={s('board.paused')} value={count(all.paused)} />
    </dl>
  );
}
