import { count, t } from '../../i18n';
import { s } from '../../i18n/staff';
import { agents, calls } from '../../live/store';
import { Button, Card, Said, Since } from '../../ui/parts';
import { showTrace } from './trace';

const SHOWN = 100;

/** Those who wait first, the longest at the top. */
export function Calls() {
  const rank: Record<string, number> = { queued: 0, ringing: 1, ivr: 2 };
  const all = [...calls.value.values()].sort(
    (a, b) => (rank[a.state] ?? 3) - (rank[b.state] ?? 3) || a.started_at.localeCompare(b.started_at),
  );
  return (
    <Card title={s('board.calls')} action={<span class="number quiet-text">{count(all.length)}</span>}>
      {all.length === 0 && <p class="empty">{s('board.noCalls')}</p>}
      {all.length > 0 && (
        <div class="table-box roomy" tabIndex={0} role="region" aria-label={s('board.calls')}>
          <table>
            <thead>
              <tr>
                <th scope="col">{s('board.caller')}</th>
                <th scope="col">{s('board.dialled')}</th>
                <th scope="col">{s('board.state')}</th>
                <th scope="col">{s('board.queue')}</th>
                <th scope="col" class="n">{s('board.position')}</th>
                <th scope="col">{s('board.agent')}</th>
                <th scope="col" class="n">{s('board.duration')}</th>
                <th scope="col"><span class="sr-only">{s('board.trace')}</span></th>
              </tr>
            </thead>
            <tbody>
              {all.slice(0, SHOWN).map((call) => (
                <tr key={call.call_id}>
                  <th scope="row"><Said>{call.from || t('desk.withheld')}</Said></th>
                  <td><Said>{call.to}</Said></td>
                  <td><span class={`state ${call.state}`}>{t(`call.state.${call.state}`)}</span></td>
                  <td>{call.queue}</td>
                  <td class="n">{call.position}</td>
                  <td>{call.agent && <Said>{agents.value.get(call.agent)?.name ?? call.agent}</Said>}</td>
                  <td class="n"><Since at={call.started_at} /></td>
                  <td class="n">
                    <Button small kind="quiet" icon="trace" label={s('board.trace')} onDo={() => showTrace(call.call_id)} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {all.length > SHOWN && <p class="empty">{s('board.more', { n: all.length - SHOWN })}</p>}
    </Card>
  );
}
