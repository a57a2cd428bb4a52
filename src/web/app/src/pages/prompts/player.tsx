// One sound at a time, by a button.
import { signal } from '@preact/signals';
import { b } from '../../i18n/bench';
import { tell } from '../../ui/act';
import { Button } from '../../ui/parts';
import { addressOf, type Cell, languageName } from './state';

const playing = signal<string | null>(null);
let audio: HTMLAudioElement | null = null;

export function silence() {
  audio?.pause();
  audio = null;
  playing.value = null;
}

function play(address: string) {
  silence();
  const mine = new Audio(address);
  const over = () => {
    if (audio === mine) silence();
  };
  mine.addEventListener('ended', over);
  mine.addEventListener('error', () => {
    if (audio === mine) tell('error', b('prompts.unplayable'));
    over();
  });
  audio = mine;
  playing.value = address;
  mine.play().catch(over);
}

export function Play({ cell }: { cell: Cell }) {
  const address = addressOf(cell);
  const on = playing.value === address;
  const values = { name: cell.name, language: languageName(cell.language) };
  return (
    <Button small kind="quiet" icon={on ? 'hold' : 'play'} pressed={on} label={b(on ? 'prompts.stop' : 'prompts.play', values)} onDo={() => {
      if (on) silence();
      else play(address);
    }} />
  );
}
