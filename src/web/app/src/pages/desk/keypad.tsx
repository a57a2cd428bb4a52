// The keys that the far end hears: by the phone in this page where the call is on it, else by the server.
import { signal } from '@preact/signals';
import { t } from '../../i18n';
import * as phone from '../../phone';
import { act } from '../../ui/act';
import { Button, Dialog } from '../../ui/parts';
import * as steer from './steer';

const KEYS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '0', '#'];
const REMEMBERED = 20;

const open = signal(false);
const sent = signal('');

export function openKeypad() {
  sent.value = '';
  open.value = true;
}

function press(key: string) {
  sent.value = `${sent.value}${key}`.slice(-REMEMBERED);
  if (phone.busy.value) phone.sendKey(key);
  else void act(() => steer.press(key));
}

export function Keypad() {
  return (
    <>
      <Button icon="keypad" shortcut="d" onDo={openKeypad}>
        {t('phone.keypad')}
      </Button>
      {open.value && (
        <Dialog title={t('phone.keypad')} onClose={() => {
          open.value = false;
        }}>
          <Keys />
        </Dialog>
      )}
    </>
  );
}

/** Pressed, or typed: the first of them has the focus at once. */
function Keys() {
  return (
    <div
      class="keypad"
      onKeyDown={(event) => {
        if (KEYS.includes(event.key)) press(event.key);
      }}
    >
      <output aria-live="polite">{sent.value}</output>
      {KEYS.map((key, at) => (
        <button key={key} autofocus={at === 0} type="button" class="button" onClick={() => press(key)}>
          {key}
        </button>
      ))}
    </div>
  );
}
