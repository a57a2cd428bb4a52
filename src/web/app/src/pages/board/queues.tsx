import type { Queue } from '../../api/client';
import { count, share, span } from '../../i18n';
import { s } from '../../i18n/staff';
import { centre, queues } from '../../live/store';
import { Card } from '../../ui/parts';
import { longestMs, thresholds } from './alerts';

type Today = Record<string, number | null | undefined>;
export const todayOf = (one: { today: unknown }) => (one.today ?? {}) as Today;

/** Beyond the queue's own target: worth a look; beyond the threshold: an alert. */
export function waitTone(queue: Queue): string {
  const longest = longestMs(queue.longest_waiting_since);
  if (longest == null) return '';
  if (longest > thresholds.value.wait_s * 1000) return 'tone-alert';
  const target = centre.value?.queues.find((terms) => terms.id === queue.id)?.answer_within_ms;
  return target != null && longest > target ? 'tone-warn' : '';
}

export const levelTone = (level: number | null | undefined) =>
  level != null && level * 100 < thresholds.value.sl_percent ? 'tone-alert' : '';

export function Queues() {
  const all = [...queues.value.values()].sort((a, b) => a.id.localeCompare(b.id));
  return (
    <Card title={s('board.queues')}>
      <div class="table-box" tabIndex={0} role="region" aria-label={s('board.queues')}>
        <table>
          <thead>
            <tr>
              <th scope="col">{s('board.queue')}</th>
              <th scope="col" class="n">{s('board.waiting')}</th>
              <th scope="col" class="n">{s('board.longest')}</th>
              <th scope="col" class="n" title={s('board.sl.long')}>{s('board.sl')}</th>
              <th scope="col" class="n">{s('board.offered')}</th>
              <th scope="col" class="n">{s('board.handled')}</th>
              <th scope="col" class="n">{s('board.abandoned')}</th>
              <th scope="col" class="n" title={s('board.asa.long')}>{s('board.asa')}</th>
              <th scope="col" class="n">{s('board.available')}</th>
              <th scope="col" class="n">{s('board.loggedIn')}</th>
              <th scope="col" class="n">{s('board.occupancy')}</th>
              <th scope="col" class="n">{s('board.callbacks')}</th>
            </tr>
          </thead>
          <tbody>
            {all.map((queue) => {
              const today = todayOf(queue);
              return (
                <tr key={queue.id}>
                  <th scope="row">{queue.id}</th>
                  <td class={`n strong ${waitTone(queue)}`}>{count(queue.waiting)}</td>
                  <td class={`n ${waitTone(queue)}`}>{span(longestMs(queue.longest_waiting_since))}</td>
                  <td class={`n strong ${levelTone(today.service_level)}`}>{share(today.service_level)}</td>
                  <td class="n">{count(today.offered)}</td>
                  <td class="n">{count(today.handled)}</td>
                  <td class="n">{count(today.abandoned)}</td>
                  <td class="n">{span(today.asa_ms)}</td>
                  <td class="n">{count(queue.agents_available)}</td>
                  <td class="n">{count(queue.agents_logged_in)}</td>
                  <td class={`n ${queue.occupancy_band === 'above' ? 'tone-warn' : ''}`}>{share(queue.occupancy)}</td>
                  <td class="n">{count(queue.callbacks)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Card>
  );
}
