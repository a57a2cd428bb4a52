// A prompt that nothing names yet: it is there with its first recording.
import { useSignal } from '@preact/signals';
import { b } from '../../i18n/bench';
import { Button, Dialog } from '../../ui/parts';
import { type Cell, isSame, languageName, prompts } from './state';

export function AddDialog({ onClose, onAdd }: { onClose: () => void; onAdd: (cell: Cell) => void }) {
  const name = useSignal('');
  const languages = prompts.value?.languages ?? [];
  const language = useSignal(languages[0] ?? '');
  const fault = useSignal('');
  const same = isSame(name.value);
  const submit = (event: Event) => {
    event.preventDefault();
    const wanted = name.value.trim();
    if (/^([a-z0-9_-]+\/)?[a-z0-9_-]+$/.test(wanted)) onAdd({ name: wanted, language: same ? null : language.value });
    else fault.value = b('prompts.add.bad');
  };
  return (
    <Dialog title={b('prompts.add')} onClose={onClose}>
      <form class="body stack" onSubmit={submit}>
        <label>
          {b('prompts.add.name')}
          <input type="text" required autocomplete="off" maxLength={64} value={name.value} onInput={(event) => {
            name.value = event.currentTarget.value;
          }} />
          <small class="quiet-text">{b('prompts.add.hint')}</small>
        </label>
        <label>
          {b('prompts.language')}
          <select disabled={same} value={language.value} onChange={(event) => {
            language.value = event.currentTarget.value;
          }}>
            {languages.map((one) => <option key={one} value={one}>{languageName(one)}</option>)}
          </select>
        </label>
        <p class="tone-alert" role="alert">{fault.value}</p>
        <p class="row end">
          <Button onDo={onClose}>{b('cancel')}</Button>
          <button type="submit" class="button main">{b('prompts.go')}</button>
        </p>
      </form>
    </Dialog>
  );
}
