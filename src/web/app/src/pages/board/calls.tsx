import { memo } from 'preact/compat';
import type { Call } from '../../api/client';
import { count, t } from '../../i18n';
import { s } from '../../i18n/staff';
import { agents, calls } from '../../live/store';
import { Button, Card, Said, Since } from '../../ui/parts';
import { LongTable, order } from '../../ui/rows';
import { showTrace } from './trace';

const COLUMNS = 8;

/** Those who wait first, the longest at the top. */
export function Calls() {
  const rank: Record<string, number> = { queued: 0, ringing: 1, ivr: 2 };
  const all = [...calls.value.values()].sort(
    (a, b) => (rank[a.state] ?? 3) - (rank[b.state] ?? 3) || order(a.started_at, b.started_at),
  );
  return (
    <Card title={s('board.calls')} action={<span class="number quiet-text">{count(all.length)}</span>}>
      {all.length === 0 && <p class="empty">{s('board.noCalls')}</p>}
      {all.length > 0 && (
        <LongTable
          label={s('board.calls')}
          columns={COLUMNS}
          head={<Head />}
          all={all}
          row={(call, place) => <Row key={call.call_id} place={place} call={call} agent={nameOf(call.agent)} />}
        />
      )}
    </Card>
  );
}

const nameOf = (agent: string | null | undefined) => (agent ? (agents.value.get(agent)?.name ?? agent) : null);

function Head() {
  return (
    <tr aria-rowindex={1}>
      <th scope="col">{s('board.caller')}</th>
      <th scope="col">{s('board.dialled')}</th>
      <th scope="col">{s('board.state')}</th>
      <th scope="col">{s('board.queue')}</th>
      <th scope="col" class="n narrow">{s('board.position')}</th>
      <th scope="col">{s('board.agent')}</th>
      <th scope="col" class="n narrow">{s('board.duration')}</th>
      <th scope="col" class="narrow"><span class="sr-only">{s('board.trace')}</span></th>
    </tr>
  );
}

/** Drawn anew only when this call changed. */
const Row = memo(function Row({ call, agent, place }: { call: Call; agent: string | null; place: number }) {
  return (
    <tr aria-rowindex={place}>
      <th scope="row"><Said>{call.from || t('desk.withheld')}</Said></th>
      <td><Said>{call.to}</Said></td>
      <td><span class={`state ${call.state}`}>{t(`call.state.${call.state}`)}</span></td>
      <td>{call.queue}</td>
      <td class="n">{call.position}</td>
      <td>{agent && <Said>{agent}</Said>}</td>
      <td class="n"><Since at={call.started_at} /></td>
      <td class="n">
        <Button small kind="quiet" icon="trace" label={s('board.trace')} onDo={() => showTrace(call.call_id)} />
      </td>
    </tr>
  );
});
