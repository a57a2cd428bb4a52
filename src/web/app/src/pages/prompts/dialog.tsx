// One prompt in one language: what it says, what is heard now, and how that is changed.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { b } from '../../i18n/bench';
import { act, tell } from '../../ui/act';
import { Button, Dialog, Said } from '../../ui/parts';
import { Play, silence } from './player';
import { Record } from './record';
import { type Cell, conditionOf, languageName, type Prompt, prompts, send, takeOf, told, unrecord } from './state';

const LARGEST = 32 * 1024 * 1024;

/** A prompt that has no sound yet and stands in no catalogue. */
const fresh = (name: string): Prompt => ({ name, texts: {}, takes: [], heard: {} });

export function PromptDialog({ cell, onClose }: { cell: Cell; onClose: () => void }) {
  useEffect(() => silence, []);
  const prompt = prompts.value?.prompts.find((one) => one.name === cell.name) ?? fresh(cell.name);
  const words = cell.language ? prompt.texts[cell.language] : undefined;
  const first = prompts.value?.languages[0] ?? '';
  const take = takeOf(prompt, cell.language);
  return (
    <Dialog title={`${cell.name} · ${languageName(cell.language)}`} onClose={onClose}>
      <div class="body person">
        <section class="stack">
          <h3>{b('prompts.words')}</h3>
          {words && <blockquote lang={cell.language ?? undefined}><Said>{words}</Said></blockquote>}
          {!words && <p class="quiet-text">{b('prompts.noWords')}</p>}
          {!words && prompt.texts[first] && <blockquote lang={first}><Said>{prompt.texts[first] ?? ''}</Said></blockquote>}
        </section>
        <section class="stack">
          <h3>{b('prompts.now')}</h3>
          <p class="row">
            <span class={`chip ${conditionOf(prompt, cell.language)}`}>{told(conditionOf(prompt, cell.language))}</span>
            {take && <Play cell={cell} />}
            {take && <small class="quiet-text"><bdi>{take.file}</bdi></small>}
          </p>
          {take?.recorded && <Remove cell={cell} />}
        </section>
        <section class="stack">
          <h3>{b('prompts.new')}</h3>
          <Record cell={cell} onDone={onClose} />
          <Upload cell={cell} onDone={onClose} />
        </section>
      </div>
    </Dialog>
  );
}

function Upload({ cell, onDone }: { cell: Cell; onDone: () => void }) {
  const chosen = async (event: Event & { currentTarget: HTMLInputElement }) => {
    const field = event.currentTarget;
    const [file] = field.files ?? [];
    if (!file) return;
    if (file.size > LARGEST) tell('error', b('prompts.tooLarge'));
    else if (await act(() => send(cell, file))) {
      tell('done', b('prompts.taken'));
      onDone();
    }
    field.value = '';
  };
  return (
    <label>
      {b('prompts.upload')}
      <input type="file" accept=".wav,.flac,.ogg,.oga,.mp3,.m4a,audio/*" onChange={(event) => void chosen(event)} />
      <small class="quiet-text">{b('prompts.upload.hint')}</small>
    </label>
  );
}

function Remove({ cell }: { cell: Cell }) {
  const sure = useSignal(false);
  if (!sure.value) {
    return (
      <p>
        <Button small onDo={() => {
          sure.value = true;
        }}>{b('prompts.remove')}</Button>
      </p>
    );
  }
  return (
    <>
      <p class="tone-alert" role="alert">{b('prompts.remove.ask')}</p>
      <p class="row">
        <Button kind="danger" onDo={async () => {
          silence();
          await unrecord(cell);
          sure.value = false;
          tell('done', b('prompts.removed'));
        }}>{b('prompts.remove.do')}</Button>
        <Button onDo={() => {
          sure.value = false;
        }}>{b('cancel')}</Button>
      </p>
    </>
  );
}
