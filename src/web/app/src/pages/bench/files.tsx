// The files of plans and bots, with what is found in each and what is a draft.
import { useSignal } from '@preact/signals';
import { b } from '../../i18n/bench';
import { act } from '../../ui/act';
import { Icon } from '../../ui/icons';
import { Button, Card, Dialog } from '../../ui/parts';
import { countOf } from './check';
import { add, chosen, type Kind, list, open, type Row, rows } from './state';

const KINDS: Kind[] = ['plan', 'bot', 'examples'];

export function Files() {
  const adding = useSignal(false);
  return (
    <Card title={b('files.title')} class="files" action={
      <Button small kind="quiet" icon="join" label={b('files.add')} onDo={() => {
        adding.value = true;
      }} />
    }>
      <nav aria-label={b('files.title')}>
        {KINDS.map((kind) => {
          const own = rows.value.filter((row) => row.kind === kind);
          if (own.length === 0) return null;
          return (
            <div key={kind}>
              <h3>{b(`kind.${kind}`)}</h3>
              <ul>{own.map((row) => <li key={row.file}><FileRow row={row} /></li>)}</ul>
            </div>
          );
        })}
      </nav>
      {adding.value && <AddDialog onClose={() => {
        adding.value = false;
      }} />}
    </Card>
  );
}

const nameOf = (file: string) => file.slice(file.lastIndexOf('/') + 1);

function FileRow({ row }: { row: Row }) {
  const [wrong, warned] = [countOf(row.file, 'error'), countOf(row.file, 'warning')];
  const state = row.draft ? (row.draft.text === null ? 'gone' : row.view ? 'changed' : 'new') : row.view?.runs === false ? 'notRunning' : null;
  return (
    <button type="button" class="file-row" title={row.file} aria-current={row.file === chosen.value ? 'true' : undefined} onClick={() => void act(() => open(row.file))}>
      <span class="name">
        <bdi>{nameOf(row.file)}</bdi>
        {row.view && row.view.numbers.length > 0 && <small>{row.view.numbers.join(', ')}</small>}
      </span>
      {state && <span class={`chip ${state}`}>{b(`files.${state}`)}</span>}
      {wrong > 0 && <span class="chip wrong" aria-label={b('files.errors', { n: wrong })} role="img"><Icon name="warn" />{wrong}</span>}
      {warned > 0 && <span class="chip warned" aria-label={b('files.warnings', { n: warned })} role="img"><Icon name="warn" />{warned}</span>}
    </button>
  );
}

const START: Record<Kind, (name: string) => string> = {
  plan: (name) => `name = "${name}"\nnumbers = []\n\n[[level]]\nname = "start"\n[[level.rule]]\nmodule = "hangup"\n`,
  bot: (name) => `name = "${name}"\nlanguages = []\n`,
  examples: () => '',
};

function AddDialog({ onClose }: { onClose: () => void }) {
  const name = useSignal('');
  const at = useSignal(0);
  const fault = useSignal('');
  const folders = list.value?.folders ?? [];
  const submit = (event: Event) => {
    event.preventDefault();
    const folder = folders[at.value];
    if (!folder) return;
    const stem = name.value.trim().replace(/\.toml$/, '');
    const file = folder.folder ? `${folder.folder}/${stem}.toml` : `${stem}.toml`;
    if (!/^[A-Za-z0-9_-][\w.-]{0,90}$/.test(stem)) fault.value = b('files.badName');
    else if (rows.value.some((row) => row.file === file)) fault.value = b('files.known', { file });
    else {
      add(file, folder.kind, START[folder.kind](stem));
      onClose();
    }
  };
  return (
    <Dialog title={b('files.add')} onClose={onClose}>
      <form class="body stack" onSubmit={submit}>
        <label>
          {b('files.where')}
          <select value={String(at.value)} onChange={(event) => {
            at.value = Number(event.currentTarget.value);
          }}>
            {folders.map((folder, nth) => <option key={nth} value={String(nth)}>{b(`kind.${folder.kind}`)} · {folder.folder ? `${folder.folder}/` : ''}{folder.fits}</option>)}
          </select>
        </label>
        <label>
          {b('files.name')}
          <input type="text" required autocomplete="off" placeholder="630-night" value={name.value} onInput={(event) => {
            name.value = event.currentTarget.value;
          }} />
        </label>
        <p class="tone-alert" role="alert">{fault.value}</p>
        <p class="row end">
          <Button onDo={onClose}>{b('cancel')}</Button>
          <button type="submit" class="button main">{b('files.make')}</button>
        </p>
      </form>
    </Dialog>
  );
}
