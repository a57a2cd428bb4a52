// The desk by keyboard. Single keys can be switched off (WCAG 2.1.4), and never act while somebody writes.
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { type Key, t } from '../../i18n';
import { decline } from '../../phone';
import { act } from '../../ui/act';
import { openKeypad } from './keypad';
import { hand } from './own';
import { answer } from './phone';
import * as steer from './steer';
import { goAvailable, STATE_MENU } from './state';

const KEPT = 'relais.keys';
export const enabled = signal(localStorage.getItem(KEPT) !== 'off');

export const SEARCH = 'people-search';
export const WRAP = 'wrap-form';

const focus = (selector: string) => document.querySelector<HTMLElement>(selector)?.focus();

export const keys: { key: string; what: Key; does: () => unknown }[] = [
  { key: 'a', what: 'keys.available', does: goAvailable },
  { key: 'p', what: 'keys.pause', does: () => {
    const menu = document.getElementById(STATE_MENU);
    menu?.focus();
    menu?.click();
  } },
  { key: 'r', what: 'keys.answer', does: answer },
  { key: 'h', what: 'keys.hold', does: steer.toggleHold },
  { key: 'm', what: 'keys.mute', does: steer.toggleMute },
  { key: 'd', what: 'keys.keypad', does: () => hand.value && openKeypad() },
  { key: 'x', what: 'keys.hangUp', does: () => (hand.value ? steer.hangUp() : decline()) },
  { key: '/', what: 'keys.consult', does: () => focus(`#${SEARCH}`) },
  { key: 's', what: 'keys.swap', does: steer.swap },
  { key: 't', what: 'keys.complete', does: steer.complete },
  { key: 'k', what: 'keys.conference', does: steer.conference },
  { key: 'b', what: 'keys.cancel', does: steer.cancel },
  { key: 'w', what: 'keys.wrap', does: () => focus(`#${WRAP} input, #${WRAP} textarea`) },
];

function writes(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  if (element instanceof HTMLInputElement) return !['radio', 'checkbox', 'button'].includes(element.type);
  return Boolean(element?.closest('textarea, select, dialog, [role=menu]'));
}

/** Listens while the desk is shown. */
export function useKeys() {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (!enabled.value || event.ctrlKey || event.metaKey || event.altKey || event.repeat || writes(event.target)) return;
      const found = keys.find((one) => one.key === event.key.toLowerCase());
      if (!found) return;
      event.preventDefault();
      void act(async () => found.does());
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, []);
}

export function KeysDialog() {
  return (
    <div class="body">
      <label class="check">
        <input
          type="checkbox"
          checked={enabled.value}
          onChange={(event) => {
            enabled.value = event.currentTarget.checked;
            localStorage.setItem(KEPT, enabled.value ? 'on' : 'off');
          }}
        />
        {t('keys.enable')}
      </label>
      <dl class="keys">
        {keys.map((one) => (
          <>
            <dt key={one.key}>
              <kbd>{one.key}</kbd>
            </dt>
            <dd>{t(one.what)}</dd>
          </>
        ))}
      </dl>
    </div>
  );
}
