// Puts the drafts into use, with a word why. All of them, or none.
import { useSignal } from '@preact/signals';
import { api, ok, Refused, type Schemas } from '../../api/client';
import { b } from '../../i18n/bench';
import { act, tell } from '../../ui/act';
import { type Fault, faultOf } from '../../ui/fault';
import { Button, Dialog } from '../../ui/parts';
import { errors, findings, settled } from './check';
import { forgetSchemas } from './complete';
import { FindingList, Refusal } from './findings';
import { readHistory } from './history';
import { changes, discard, drafts, etagOf, forget, list, readList, rebase, taken } from './state';

const LONGEST_NOTE = 500;

export function ActivateDialog({ onClose }: { onClose: () => void }) {
  const note = useSignal('');
  const fault = useSignal<Fault | null>(null);
  const changed = useSignal(false);
  const busy = useSignal(false);
  const warnings = useSignal<Schemas['Finding'][] | null>(null);
  const activate = async (event: Event) => {
    event.preventDefault();
    if (busy.value) return;
    busy.value = true;
    try {
      const why = note.value.trim();
      const done = await ok(api.POST('/plans/activate', { body: { changes: changes(), ...(why ? { note: why } : {}) } }));
      forgetSchemas();
      await taken();
      void readHistory();
      tell('done', b('activate.done', { n: done.files.length }));
      if (done.warnings.length === 0) onClose();
      else warnings.value = done.warnings;
    } catch (error) {
      fault.value = faultOf(error);
      changed.value = error instanceof Refused && error.status === 409;
      if (changed.value) await act(readList);
    }
    busy.value = false;
  };
  if (warnings.value) {
    return (
      <Dialog title={b('activate.title')} onClose={onClose}>
        <div class="body">
          <p class="verdict passed">{b('activate.doneWarnings')}</p>
          <FindingList findings={warnings.value} onGo={onClose} />
        </div>
      </Dialog>
    );
  }
  const wrong = settled.value && errors.value > 0;
  return (
    <Dialog title={b('activate.title')} onClose={onClose}>
      <form class="body stack" onSubmit={activate}>
        <p>{b('activate.what')}</p>
        <ul class="changed">
          {[...drafts.value].map(([file, draft]) => (
            <li key={file}>
              <span class="file">{file}</span>
              <span class="chip">{b(draft.text === null ? 'files.gone' : draft.etag === null ? 'files.new' : 'files.changed')}</span>
              {changed.value && etagOf(file) !== draft.etag && <Conflict file={file} onSettled={() => {
                changed.value = [...drafts.value].some(([name, one]) => etagOf(name) !== one.etag);
                if (!changed.value) fault.value = null;
              }} />}
            </li>
          ))}
        </ul>
        <label>
          {b('activate.note')}
          <textarea rows={2} maxLength={LONGEST_NOTE} value={note.value} onInput={(event) => {
            note.value = event.currentTarget.value;
          }} />
        </label>
        <Refusal of={fault.value} onGo={onClose} />
        {wrong && !fault.value && (
          <>
            <p class="tone-alert">{b('activate.wrong')}</p>
            <FindingList findings={findings.value.filter((finding) => finding.severity === 'error')} onGo={onClose} />
          </>
        )}
        <p class="row end">
          <Button onDo={onClose}>{b('cancel')}</Button>
          <button type="submit" class="button main" aria-busy={busy.value} disabled={wrong || !settled.value || drafts.value.size === 0 || list.value === null}>
            {b('activate.do')}
          </button>
        </p>
      </form>
    </Dialog>
  );
}

/** Somebody changed the file meanwhile: one's own text on top of theirs, or theirs. */
function Conflict({ file, onSettled }: { file: string; onSettled: () => void }) {
  return (
    <div class="conflict">
      <p>{b('activate.conflict')}</p>
      <Button small onDo={async () => {
        await rebase(file);
        onSettled();
      }}>{b('activate.mine')}</Button>
      <Button small onDo={async () => {
        discard([file]);
        await forget();
        onSettled();
      }}>{b('activate.theirs')}</Button>
    </div>
  );
}
