// What is known of the caller from before, and how the call came here.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api, type CallRecord, type CallTrace, ok } from '../../api/client';
import { dateTime, span, t, word } from '../../i18n';
import { agents } from '../../live/store';
import { Said } from '../../ui/parts';

const SHOWN = 8;

/** The way through the matrix, and why this agent: read anew when the call gets further. */
export function Why({ id, changes }: { id: string; changes: string }) {
  const trace = useSignal<CallTrace | null>(null);
  useEffect(() => {
    let current = true;
    ok(api.GET('/calls/{id}/trace', { params: { path: { id } } }))
      .then((found) => {
        if (current) trace.value = found;
      })
      .catch(() => undefined);
    return () => {
      current = false;
    };
  }, [id, changes]);
  const found = trace.value?.trace;
  const decision = found?.decisions?.at(-1);
  return (
    <>
      <h3>{t('desk.why')}</h3>
      <ol class="steps">
        {found?.levels
          .filter((level) => level.module)
          .slice(-6)
          .map((level, at) => (
            <li key={at}>
              <span>
                {level.module}
                <small>
                  {level.plan} · {level.level}
                </small>
              </span>
              <span class="quiet-text">{level.result}</span>
            </li>
          ))}
      </ol>
      {decision && <p class="quiet-text small-text">{t('desk.why.rule', { rule: decision.rule.replaceAll('_', ' ') })}</p>}
    </>
  );
}

export function Contacts({ id }: { id: string }) {
  const contacts = useSignal<CallRecord[] | null>(null);
  const failed = useSignal(false);
  useEffect(() => {
    let current = true;
    contacts.value = null;
    failed.value = false;
    ok(api.GET('/calls/{id}/contacts', { params: { path: { id } } }))
      .then((found) => {
        if (current) contacts.value = found.records;
      })
      .catch(() => {
        if (current) failed.value = true;
      });
    return () => {
      current = false;
    };
  }, [id]);
  return (
    <>
      <h3>{t('desk.history')}</h3>
      {failed.value && <p class="quiet-text">{t('desk.history.failed')}</p>}
      {contacts.value?.length === 0 && <p class="quiet-text">{t('desk.history.none')}</p>}
      <ul class="contacts">
        {contacts.value?.slice(0, SHOWN).map((record) => (
          <Contact key={record.call_id} record={record} />
        ))}
      </ul>
    </>
  );
}

function Contact({ record }: { record: CallRecord }) {
  const about = [
    record.queue,
    record.agent && (agents.value.get(record.agent)?.name ?? record.agent),
    record.talk_ms != null ? span(record.talk_ms) : null,
  ];
  return (
    <li>
      <span class="line">
        <strong>{dateTime(record.started_at)}</strong>
        {record.outcome && <span>{t(`outcome.${record.outcome}`)}</span>}
        <span class="quiet-text small-text">{about.filter(Boolean).join(' · ')}</span>
      </span>
      {(record.disposition || record.resolved != null) && (
        <span class="line small-text">
          {record.disposition && <span class="chip">{word('disposition', record.disposition)}</span>}
          {record.resolved != null && (
            <span class={record.resolved ? '' : 'tone-warn'}>{record.resolved ? t('wrap.resolved.yes') : t('wrap.resolved.no')}</span>
          )}
        </span>
      )}
      {record.note && <Said>{record.note}</Said>}
    </li>
  );
}
