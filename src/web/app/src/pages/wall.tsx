// For a screen on the wall: large, alone, without anything to press.
import '../styles/board.css';
import { useEffect } from 'preact/hooks';
import { count, share, span, time } from '../i18n';
import { s } from '../i18n/staff';
import { queues, serverNow } from '../live/store';
import { go } from '../route';
import { alerts, longestMs } from './board/alerts';
import { levelTone, todayOf, waitTone } from './board/queues';
import { Tiles } from './board/tiles';

export default function Wall() {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key === 'Escape') go('/board');
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, []);
  const all = [...queues.value.values()].sort((a, b) => a.id.localeCompare(b.id));
  return (
    <div class="wall">
      <h1 class="sr-only">Relais</h1>
      <Tiles />
      <table>
        <thead>
          <tr>
            <th scope="col">{s('board.queue')}</th>
            <th scope="col" class="n">{s('board.waiting')}</th>
            <th scope="col" class="n">{s('board.longest')}</th>
            <th scope="col" class="n">{s('board.sl')}</th>
            <th scope="col" class="n">{s('board.available')}</th>
          </tr>
        </thead>
        <tbody>
          {all.map((queue) => (
            <tr key={queue.id}>
              <th scope="row">{queue.id}</th>
              <td class={`n ${waitTone(queue)}`}>{count(queue.waiting)}</td>
              <td class={`n ${waitTone(queue)}`}>{span(longestMs(queue.longest_waiting_since))}</td>
              <td class={`n ${levelTone(todayOf(queue).service_level)}`}>{share(todayOf(queue).service_level)}</td>
              <td class="n">{count(queue.agents_available)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="wall-alerts" role="status">{alerts.value.slice(0, 3).map((alert) => alert.text).join('   ·   ')}</p>
      <p class="wall-foot">
        <time class="number">{time(new Date(serverNow.value).toISOString())}</time>
        <a href="/board" class="leave">{s('wall.leave')}</a>
      </p>
    </div>
  );
}
