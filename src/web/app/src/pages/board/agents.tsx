import { useSignal } from '@preact/signals';
import { memo } from 'preact/compat';
import { type Agent, api, type Call } from '../../api/client';
import { count, span, t, word } from '../../i18n';
import { s } from '../../i18n/staff';
import { agents, calls, centre } from '../../live/store';
import { Icon } from '../../ui/icons';
import { Card, Item, Menu, Said, Since, State } from '../../ui/parts';
import { LongTable, order } from '../../ui/rows';
import { todayOf } from './queues';
import { supervise } from './supervise';
import { showTrace } from './trace';

const STATES = ['available', 'reserved', 'ringing', 'talking', 'holding', 'wrap_up', 'paused', 'not_responding', 'logged_out'] as const;
const COLUMNS = 8;

export function Agents() {
  const search = useSignal('');
  const state = useSignal('');
  const wanted = search.value.trim().toLowerCase();
  const fits = (agent: Agent) =>
    (!state.value || agent.state === state.value) &&
    (!wanted || [agent.id, agent.name, ...agent.queues].some((text) => text.toLowerCase().includes(wanted)));
  const rank = (agent: Agent) => (agent.state === 'logged_out' ? 1 : 0);
  const all = [...agents.value.values()].filter(fits).sort((a, b) => rank(a) - rank(b) || order(a.id, b.id));
  return (
    <Card title={s('board.agents')} action={<span class="number quiet-text">{count(all.length)}</span>}>
      <div class="filters">
        <input type="search" placeholder={s('board.filter')} aria-label={s('board.filter')} value={search.value}
          onInput={(event) => {
            search.value = event.currentTarget.value;
          }} />
        <select aria-label={s('board.state')} value={state.value}
          onChange={(event) => {
            state.value = event.currentTarget.value;
          }}>
          <option value="">{s('board.all')}</option>
          {STATES.map((one) => (
            <option key={one} value={one}>{t(`state.${one}`)}</option>
          ))}
        </select>
      </div>
      <LongTable
        label={s('board.agents')}
        columns={COLUMNS}
        head={<Head />}
        all={all}
        row={(agent, place) => (
          <Row key={agent.id} place={place} agent={agent} call={agent.call_id ? calls.value.get(agent.call_id) : undefined} />
        )}
      />
      {all.length === 0 && <p class="empty">{s('board.noAgents')}</p>}
    </Card>
  );
}

function Head() {
  return (
    <tr aria-rowindex={1}>
      <th scope="col">{s('board.agent')}</th>
      <th scope="col" class="wide">{s('board.state')}</th>
      <th scope="col" class="n narrow">{s('board.since')}</th>
      <th scope="col">{s('board.call')}</th>
      <th scope="col">{s('board.queue')}</th>
      <th scope="col" class="n narrow">{s('board.handled')}</th>
      <th scope="col" class="n narrow">{s('board.aht')}</th>
      <th scope="col" class="narrow"><span class="sr-only">{s('board.actions', { name: '' })}</span></th>
    </tr>
  );
}

/** Drawn anew only when this agent or their call changed. */
const Row = memo(function Row({ agent, call, place }: { agent: Agent; call: Call | undefined; place: number }) {
  const today = todayOf(agent);
  return (
    <tr aria-rowindex={place}>
      <th scope="row">
        <Said>{agent.name}</Said>
        {agent.name.includes(agent.id) ? null : <small class="quiet-text"> {agent.id}</small>}
      </th>
      <td>
        <State state={agent.state} reason={agent.reason} />
      </td>
      <td class="n"><Since at={agent.since} /></td>
      <td>
        {call && <Said>{call.from}</Said>}
        {call?.consult && <small class="quiet-text"> → {call.consult.to}</small>}
      </td>
      <td>{call?.queue ?? agent.queues.join(', ')}</td>
      <td class="n">{count(today.handled)}</td>
      <td class="n">{span(today.aht_ms)}</td>
      <td class="n">
        <Actions agent={agent} call={call} />
      </td>
    </tr>
  );
});

function Actions({ agent, call }: { agent: Agent; call: Call | undefined }) {
  const params = { path: { id: agent.id } };
  const reasons = centre.value?.pause_reasons ?? [];
  const talks = call && ['talking', 'holding', 'consulting', 'conference'].includes(call.state);
  const leg = call?.legs.find((one) => one.role === 'agent' && one.address.includes(`:${agent.id}@`));
  return (
    <Menu class="compact" label={s('board.actions', { name: agent.name })} button={<Icon name="down" />}>
      {talks && (
        <>
          <Item onDo={() => supervise(call.call_id, 'listen')}>{s('board.listen')}</Item>
          <Item onDo={() => supervise(call.call_id, 'whisper')}>{s('board.whisper')}</Item>
          <Item onDo={() => supervise(call.call_id, 'barge')}>{s('board.barge')}</Item>
          <hr />
        </>
      )}
      {call && <Item onDo={() => showTrace(call.call_id)}>{s('board.trace')}</Item>}
      {talks && leg && (
        <Item onDo={() => api.POST('/calls/{id}/hangup', { params: { path: { id: call.call_id } }, body: { leg_id: leg.leg_id } })}>
          {s('board.hangUp')}
        </Item>
      )}
      {call && <hr />}
      <Item onDo={() => api.POST('/agents/{id}/state', { params, body: { state: 'available' } })}>{s('board.force.available')}</Item>
      {reasons.map((reason) => (
        <Item key={reason} onDo={() => api.POST('/agents/{id}/state', { params, body: { state: 'paused', reason } })}>
          {s('board.force.pause', { reason: word('reason', reason) })}
        </Item>
      ))}
      <Item onDo={() => api.DELETE('/agents/{id}/state', { params })}>{s('board.force.logout')}</Item>
    </Menu>
  );
}
