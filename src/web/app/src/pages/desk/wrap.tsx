// What a call came to: a code, whether it is settled, a note. During the call and after it.
import { signal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { api } from '../../api/client';
import { t, word } from '../../i18n';
import { centre } from '../../live/store';
import { tell } from '../../ui/act';
import { Button } from '../../ui/parts';
import { WRAP } from './keys';
import { goAvailable, wrapUpFor } from './state';

interface Draft {
  code: string;
  resolved: boolean | null;
  note: string;
}

const blank: Draft = { code: '', resolved: null, note: '' };
/** What is written and not yet saved, of the last calls: the form moves when the call ends, the text stays. */
const drafts = signal<ReadonlyMap<string, Draft>>(new Map());
const KEPT = 10;

function write(id: string, change: Partial<Draft>) {
  const next = new Map(drafts.value);
  next.set(id, { ...(next.get(id) ?? blank), ...change });
  for (const oldest of next.keys()) {
    if (next.size <= KEPT) break;
    next.delete(oldest);
  }
  drafts.value = next;
}

export function Wrap({ id, over }: { id: string; over: boolean }) {
  const group = useId();
  const draft = drafts.value.get(id) ?? blank;
  const codes = centre.value?.dispositions ?? [];
  const save = async () => {
    if (!draft.code) {
      tell('error', t('wrap.choose'));
      return false;
    }
    const { code, resolved, note } = draft;
    await api.POST('/calls/{id}/disposition', { params: { path: { id } }, body: { code, resolved, note: note || null } });
    tell('done', t('wrap.saved'));
    return true;
  };
  const saveAndGoOn = async () => {
    if (await save()) await goAvailable();
  };
  return (
    <form class="wrap" id={WRAP} onSubmit={(event) => event.preventDefault()}>
      <h3>{t('wrap.title')}</h3>
      {codes.length === 0 ? (
        <p class="quiet-text">{t('wrap.none')}</p>
      ) : (
        <>
          <fieldset>
            <legend>{t('wrap.disposition')}</legend>
            <div class="choices">
              {codes.map((code) => (
                <label key={code}>
                  <input type="radio" name={`${group}-code`} checked={draft.code === code} onChange={() => write(id, { code })} />
                  {word('disposition', code)}
                </label>
              ))}
            </div>
          </fieldset>
          <fieldset>
            <legend>{t('wrap.resolved')}</legend>
            <div class="choices">
              {([true, false] as const).map((resolved) => (
                <label key={String(resolved)}>
                  <input
                    type="radio"
                    name={`${group}-resolved`}
                    checked={draft.resolved === resolved}
                    onChange={() => write(id, { resolved })}
                  />
                  {resolved ? t('wrap.resolved.yes') : t('wrap.resolved.no')}
                </label>
              ))}
            </div>
          </fieldset>
          <label>
            {t('wrap.note')}
            <textarea maxLength={2000} value={draft.note} onInput={(event) => write(id, { note: event.currentTarget.value })} />
          </label>
        </>
      )}
      <div class="buttons">
        {codes.length > 0 && (over ? <Button kind="main" onDo={saveAndGoOn}>{t('wrap.saveNext')}</Button> : null)}
        {codes.length > 0 && <Button onDo={save}>{t('wrap.save')}</Button>}
        {over && <Button icon="clock" onDo={() => wrapUpFor(60)}>{t('wrap.more')}</Button>}
        {over && <Button onDo={goAvailable}>{t('wrap.done')}</Button>}
      </div>
    </form>
  );
}
