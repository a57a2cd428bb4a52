// Listening in: the supervisor's own phone is rung and joins the talk.
import { signal } from '@preact/signals';
import { api } from '../../api/client';
import { s } from '../../i18n/staff';
import { centre } from '../../live/store';
import { tell } from '../../ui/act';

const KEPT = 'relais.phone';
export const phone = signal(localStorage.getItem(KEPT) ?? '');

export function setPhone(to: string) {
  phone.value = to.trim();
  localStorage.setItem(KEPT, phone.value);
}

const address = () => (phone.value.includes(':') ? phone.value : `sip:${phone.value}@${centre.value?.domain ?? ''}`);

export async function supervise(call: string, mode: 'listen' | 'whisper' | 'barge') {
  if (!phone.value) {
    tell('error', s('board.phone.missing'));
    document.getElementById('own-phone')?.focus();
    return;
  }
  await api.POST('/calls/{id}/supervise', { params: { path: { id: call } }, body: { mode, leg: address() } });
}

export function OwnPhone() {
  return (
    <label class="own-phone" title={s('board.phone.hint')}>
      {s('board.phone')}
      <input id="own-phone" type="text" inputMode="email" autocapitalize="none" spellcheck={false} placeholder="209" value={phone.value}
        onChange={(event) => setPhone(event.currentTarget.value)} />
    </label>
  );
}
