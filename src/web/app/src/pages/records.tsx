// Calls that are over, with their recordings; and messages that callers left.
import '../styles/board.css';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api, type CallRecord, ok, type Schemas } from '../api/client';
import { dateTime, span, t, word } from '../i18n';
import { s } from '../i18n/staff';
import { agents, queues } from '../live/store';
import { act } from '../ui/act';
import { Icon } from '../ui/icons';
import { Button, Card, Said } from '../ui/parts';
import { showTrace, TraceDialog } from './board/trace';

const OUTCOMES = ['handled', 'abandoned', 'deterred', 'overflowed', 'callback', 'voicemail', 'self_service', 'failed'] as const;
const PAGE = 50;

export default function Records() {
  const number = useSignal('');
  const outcome = useSignal('');
  const queue = useSignal('');
  const agent = useSignal('');
  const found = useSignal<CallRecord[]>([]);
  const ended = useSignal(false);

  const read = async (before?: string) => {
    const query = {
      limit: PAGE,
      ...(before ? { before } : {}),
      ...(number.value ? { number: number.value } : {}),
      ...(outcome.value ? { outcome: outcome.value as Schemas['Outcome'] } : {}),
      ...(queue.value ? { queue: queue.value } : {}),
      ...(agent.value ? { agent: agent.value } : {}),
    };
    const { records } = await ok(api.GET('/records', { params: { query } }));
    found.value = before ? [...found.value, ...records] : records;
    ended.value = records.length < PAGE;
  };
  useEffect(() => {
    void act(() => read());
  }, []);

  return (
    <div class="board">
      <Card title={s('records.title')}>
        <form class="filters" onSubmit={(event) => {
          event.preventDefault();
          void act(() => read());
        }}>
          <label>
            {s('records.number')}
            <input type="search" value={number.value} onInput={(event) => {
              number.value = event.currentTarget.value;
            }} />
          </label>
          <Choice label={s('records.outcome')} value={outcome} options={OUTCOMES.map((one) => [one, t(`outcome.${one}`)])} />
          <Choice label={s('board.queue')} value={queue} options={[...queues.value.keys()].sort().map((id) => [id, id])} />
          <Choice label={s('board.agent')} value={agent} options={[...agents.value.values()].map((one) => [one.id, one.name])} />
          <button type="submit" class="button main"><Icon name="search" />{s('records.search')}</button>
        </form>
        <div class="table-box" tabIndex={0} role="region" aria-label={s('records.title')}>
          <table>
            <thead>
              <tr>
                <th scope="col">{s('records.started')}</th>
                <th scope="col">{s('board.caller')}</th>
                <th scope="col">{s('board.dialled')}</th>
                <th scope="col">{s('records.outcome')}</th>
                <th scope="col">{s('board.queue')}</th>
                <th scope="col">{s('board.agent')}</th>
                <th scope="col" class="n">{s('records.wait')}</th>
                <th scope="col" class="n">{s('records.talk')}</th>
                <th scope="col" class="n">{s('records.acw')}</th>
                <th scope="col">{s('records.disposition')}</th>
                <th scope="col">{s('records.recording')}</th>
                <th scope="col"><span class="sr-only">{s('board.trace')}</span></th>
              </tr>
            </thead>
            <tbody>
              {found.value.map((record) => (
                <Row key={record.call_id} record={record} />
              ))}
            </tbody>
          </table>
        </div>
        {found.value.length === 0 && <p class="empty">{s('records.none')}</p>}
        {!ended.value && found.value.length > 0 && (
          <p class="empty"><Button onDo={() => read(found.value.at(-1)?.call_id)}>{s('records.more')}</Button></p>
        )}
      </Card>
      <Voicemails />
      <TraceDialog />
    </div>
  );
}

function Choice({ label, value, options }: { label: string; value: { value: string }; options: (readonly [string, string])[] }) {
  return (
    <label>
      {label}
      <select value={value.value} onChange={(event) => {
        value.value = event.currentTarget.value;
      }}>
        <option value="">{s('records.any')}</option>
        {options.map(([id, name]) => (
          <option key={id} value={id}>{name}</option>
        ))}
      </select>
    </label>
  );
}

function Row({ record }: { record: CallRecord }) {
  return (
    <tr>
      <th scope="row">{dateTime(record.started_at)}</th>
      <td><Said>{record.from || t('desk.withheld')}</Said></td>
      <td><Said>{record.to}</Said></td>
      <td>{record.outcome && t(`outcome.${record.outcome}`)}</td>
      <td>{record.queue}</td>
      <td>{record.agent && <Said>{agents.value.get(record.agent)?.name ?? record.agent}</Said>}</td>
      <td class="n">{span(record.wait_ms)}</td>
      <td class="n">{span(record.talk_ms)}</td>
      <td class="n">{span(record.acw_ms)}</td>
      <td title={record.note ?? undefined}>{record.disposition && <span class="chip">{word('disposition', record.disposition)}</span>}</td>
      <td>{record.recording_id && <Player id={record.recording_id} from={record.from} />}</td>
      <td class="n">
        <Button small kind="quiet" icon="trace" label={s('board.trace')} onDo={() => showTrace(record.call_id)} />
      </td>
    </tr>
  );
}

/** Nothing is fetched before somebody wants to hear it: each listening is logged. */
function Player({ id, from }: { id: string; from: string }) {
  const open = useSignal(false);
  const at = `/api/v1/recordings/${id}`;
  if (!open.value) {
    return (
      <Button small icon="play" label={s('records.play', { from })} onDo={() => {
        open.value = true;
      }} />
    );
  }
  return (
    <span class="player">
      <audio controls autoplay src={at} aria-label={s('records.play', { from })} />
      <a href={at} download={`${id}.flac`}>{s('records.download')}</a>
    </span>
  );
}

function Voicemails() {
  const found = useSignal<Schemas['Recording'][]>([]);
  useEffect(() => {
    void act(async () => {
      found.value = (await ok(api.GET('/voicemails'))).voicemails;
    });
  }, []);
  if (found.value.length === 0) return null;
  return (
    <Card title={s('records.voicemails')}>
      <div class="table-box" tabIndex={0} role="region" aria-label={s('records.voicemails')}>
        <table>
          <thead>
            <tr>
              <th scope="col">{s('records.started')}</th>
              <th scope="col">{s('board.caller')}</th>
              <th scope="col">{s('records.mailbox')}</th>
              <th scope="col" class="n">{s('board.duration')}</th>
              <th scope="col">{s('records.recording')}</th>
            </tr>
          </thead>
          <tbody>
            {found.value.map((message) => (
              <tr key={message.recording_id}>
                <th scope="row">{dateTime(message.started_at)}</th>
                <td><Said>{message.from}</Said></td>
                <td>{message.mailbox}</td>
                <td class="n">{span(message.duration_ms)}</td>
                <td><Player id={message.recording_id} from={message.from} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}
