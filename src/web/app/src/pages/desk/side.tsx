// The agent's queues, the call-backs due in them, and the agent's own day.
import { count, dateTime, share, span, t, time } from '../../i18n';
import { callbacks, queues, serverNow } from '../../live/store';
import { Card, Figure, Said, Since } from '../../ui/parts';
import { own } from './own';

const SHOWN = 8;

export function OwnQueues() {
  const mine = (own.value?.queues ?? []).map((id) => queues.value.get(id)).filter((queue) => queue !== undefined);
  return (
    <Card title={t('queues.title')}>
      {mine.length === 0 && <p class="empty">{t('queues.none')}</p>}
      <ul class="rows">
        {mine.map((queue) => (
          <li key={queue.id}>
            <span class="name">
              <span>{queue.id}</span>
              {queue.longest_waiting_since && (
                <small>
                  {t('queues.longest', { time: span(serverNow.value - Date.parse(queue.longest_waiting_since)) })}
                </small>
              )}
            </span>
            <span class="end">
              <span class="big">{count(queue.waiting)}</span>
              <small>{t('queues.waiting')}</small>
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

export function Callbacks() {
  const mine = new Set(own.value?.queues ?? []);
  const due = [...callbacks.value.values()]
    .filter((callback) => mine.has(callback.queue))
    .sort((a, b) => a.not_before.localeCompare(b.not_before));
  const sameDay = (at: string) => new Date(at).toDateString() === new Date(serverNow.value).toDateString();
  return (
    <Card title={t('callbacks.title')} action={<span class="number quiet-text">{count(due.length)}</span>}>
      {due.length === 0 && <p class="empty">{t('callbacks.none')}</p>}
      <ul class="rows">
        {due.slice(0, SHOWN).map((callback) => {
          const at = Date.parse(callback.not_before);
          return (
            <li key={callback.callback_id}>
              <span class="name">
                <Said>{callback.number}</Said>
                <small>
                  {callback.queue}
                  {callback.attempts > 0 && <> · {t('callbacks.attempts', { n: callback.attempts })}</>}
                </small>
              </span>
              <span class="small-text quiet-text">
                {at > serverNow.value
                  ? t('callbacks.at', { time: sameDay(callback.not_before) ? time(callback.not_before) : dateTime(callback.not_before) })
                  : <Since at={callback.waiting_since} />}
              </span>
            </li>
          );
        })}
      </ul>
    </Card>
  );
}

export function OwnFigures() {
  const today = (own.value?.today ?? {}) as Record<string, number | null>;
  return (
    <Card title={t('own.title')}>
      <dl class="figures body">
        <Figure label={t('own.handled')} value={count(today.handled)} />
        <Figure label={t('own.aht')} hint={t('own.aht.long')} value={span(today.aht_ms)} />
        <Figure label={t('own.occupancy')} value={share(today.occupancy)} />
        <Figure label={t('own.nonResponse')} value={share(today.non_response)} />
        <Figure label={t('own.staffed')} value={span(today.staffed_ms)} />
        <Figure label={t('own.paused')} value={span(today.paused_ms)} />
      </dl>
    </Card>
  );
}
