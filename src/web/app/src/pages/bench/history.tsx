// Who changed what and why, and the way back.
import { signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api, ok, type Schemas } from '../../api/client';
import { dateTime } from '../../i18n';
import { b } from '../../i18n/bench';
import { act, tell } from '../../ui/act';
import { type Fault, faultOf } from '../../ui/fault';
import { Button, Dialog, Said } from '../../ui/parts';
import { Refusal } from './findings';
import { drafts, forget } from './state';
import { FileTexts } from './texts';

type Entry = Schemas['Kept'];
type Version = Schemas['Version'];
const PAGE = 30;
const MOST_NAMES = 4;

const entries = signal<Entry[]>([]);
const ended = signal(false);

async function read(before?: number) {
  const query = { limit: PAGE, ...(before === undefined ? {} : { before }) };
  const found = (await ok(api.GET('/audit', { params: { query } }))).entries;
  entries.value = before === undefined ? found : [...entries.value, ...found];
  ended.value = found.length < PAGE;
}

export const readHistory = () => act(() => read());

/** The first few; the others by their number. */
function some(files: { file: string }[]): string {
  const names = files.slice(0, MOST_NAMES).map((file) => file.file).join(', ');
  return files.length > MOST_NAMES ? b('history.files', { files: names, n: files.length - MOST_NAMES }) : names;
}

export function HistoryTab() {
  const asked = useSignal<Entry | null>(null);
  useEffect(() => {
    void readHistory();
  }, []);
  return (
    <div class="tab-body">
      {entries.value.length === 0 && <p class="quiet-text">{b('history.none')}</p>}
      <ol class="history">
        {entries.value.map((entry) => (
          <li key={entry.id}>
            <p>
              <strong>{b(`deed.${entry.what}`)}</strong> {entry.subject && <Said>{entry.subject}</Said>}
              {entry.outcome !== 'done' && <span class={`chip ${entry.outcome}`}>{b(`history.${entry.outcome}`)}</span>}
            </p>
            <p class="small-text quiet-text">{entry.who && <><Said>{entry.who}</Said> · {entry.role} · </>}{dateTime(entry.at)}</p>
            {entry.note && <p class="note"><Said>{entry.note}</Said></p>}
            {entry.files && entry.files.length > 0 && <p class="small-text files-of" title={entry.files.map((file) => file.file).join('\n')}>{some(entry.files)}</p>}
            {entry.has_version && (
              <Button small icon="back" onDo={() => {
                asked.value = entry;
              }}>{b('history.back')}</Button>
            )}
          </li>
        ))}
      </ol>
      {!ended.value && entries.value.length > 0 && <Button onDo={() => read(entries.value.at(-1)?.id)}>{b('history.more')}</Button>}
      {asked.value && <BackDialog entry={asked.value} onClose={() => {
        asked.value = null;
      }} />}
    </div>
  );
}

interface Change {
  file: string;
  before: string | null;
  after: string | null;
}

/** What would be otherwise: the texts of now, and those of then. */
async function changesTo(version: Version): Promise<Change[]> {
  return Promise.all(
    version.differs.map(async ({ file, before, after }) => {
      const now = before == null ? null : (await ok(api.GET('/plans/file', { params: { query: { file } } }))).text;
      const then = after == null ? null : (await ok(api.GET('/plans/versions/{id}/file', { params: { path: { id: version.id }, query: { file } } }))).text;
      return { file, before: now, after: then };
    }),
  );
}

function BackDialog({ entry, onClose }: { entry: Entry; onClose: () => void }) {
  const found = useSignal<{ version: Version; changes: Change[] } | null>(null);
  const fault = useSignal<Fault | null>(null);
  const note = useSignal('');
  const look = async () => {
    try {
      const version = await ok(api.GET('/plans/versions/{id}', { params: { path: { id: entry.id } } }));
      found.value = { version, changes: await changesTo(version) };
    } catch (error) {
      fault.value = faultOf(error);
    }
  };
  useEffect(() => {
    void look();
  }, []);
  const back = async () => {
    if (!found.value) return;
    try {
      const why = note.value.trim();
      await ok(api.POST('/plans/rollback', { body: { entry: entry.id, etag: found.value.version.etag, ...(why ? { note: why } : {}) } }));
      await forget();
      await read();
      tell('done', b('history.done'));
      onClose();
    } catch (error) {
      fault.value = faultOf(error);
      await look();
    }
  };
  const nothing = found.value?.changes.length === 0;
  return (
    <Dialog wide title={b('history.title', { at: dateTime(entry.at) })} onClose={onClose}>
      <div class="body stack">
        {nothing && <p class="verdict passed">{b('history.nothing')}</p>}
        {found.value && !nothing && <p>{b('history.would')}</p>}
        {drafts.value.size > 0 && <p class="banner">{b('history.drafts')}</p>}
        {found.value?.changes.map((one) => <FileTexts key={one.file} file={one.file} before={one.before} after={one.after} />)}
        <Refusal of={fault.value} />
        {found.value && !nothing && (
          <>
            <label>
              {b('activate.note')}
              <textarea rows={2} maxLength={500} value={note.value} onInput={(event) => {
                note.value = event.currentTarget.value;
              }} />
            </label>
            <p class="row end">
              <Button onDo={onClose}>{b('cancel')}</Button>
              <Button kind="main" onDo={back}>{b('history.do')}</Button>
            </p>
          </>
        )}
      </div>
    </Dialog>
  );
}
