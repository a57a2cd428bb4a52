// Somebody new, and what their authenticator is given.
import { useSignal } from '@preact/signals';
import { api, ok } from '../../api/client';
import { b } from '../../i18n/bench';
import { tell } from '../../ui/act';
import { Button, Dialog } from '../../ui/parts';
import { type Fault, faultOf } from '../../ui/fault';
import { Factor } from './factor';
import { PersonFields } from './fields';
import { readUsers, type UserRole } from './state';

export function AddDialog({ onClose }: { onClose: () => void }) {
  const id = useSignal('');
  const name = useSignal('');
  const role = useSignal<UserRole>('agent');
  const agent = useSignal('');
  const language = useSignal('');
  const password = useSignal('');
  const factor = useSignal(false);
  const fault = useSignal<Fault | null>(null);
  const address = useSignal<string | null>(null);
  const busy = useSignal(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy.value) return;
    busy.value = true;
    try {
      const some = {
        ...(name.value.trim() ? { name: name.value.trim() } : {}),
        ...(role.value === 'agent' ? { agent: agent.value.trim() } : {}),
        ...(language.value ? { language: language.value } : {}),
      };
      const body = { id: id.value.trim(), role: role.value, password: password.value, second_factor: factor.value, ...some };
      const made = await ok(api.POST('/users', { body }));
      await readUsers();
      tell('done', b('users.added', { name: made.user.id }));
      if (made.second_factor_url) address.value = made.second_factor_url;
      else onClose();
    } catch (error) {
      fault.value = faultOf(error);
    }
    busy.value = false;
  };
  if (address.value) {
    return (
      <Dialog title={b('users.secondFactor')} onClose={onClose}>
        <div class="body stack">
          <Factor address={address.value} />
          <p class="row end"><Button kind="main" onDo={onClose}>{b('users.factor.kept')}</Button></p>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={b('users.add')} onClose={onClose}>
      <form class="body stack" onSubmit={submit}>
        <label>
          {b('users.id')}
          <input type="text" required autocomplete="off" autocapitalize="none" spellcheck={false} value={id.value} onInput={(event) => {
            id.value = event.currentTarget.value;
          }} />
          <small class="quiet-text">{b('users.id.hint')}</small>
        </label>
        <PersonFields name={name} role={role} agent={agent} language={language} />
        <label>
          {b('users.password')}
          <input type="password" required autocomplete="new-password" minLength={8} maxLength={256} value={password.value} onInput={(event) => {
            password.value = event.currentTarget.value;
          }} />
          <small class="quiet-text">{b('users.password.hint')}</small>
        </label>
        <label class="inline">
          <input type="checkbox" checked={factor.value} onChange={(event) => {
            factor.value = event.currentTarget.checked;
          }} />
          {b('users.secondFactor.ask')}
        </label>
        {fault.value && <p class="tone-alert" role="alert">{fault.value.message}</p>}
        <p class="row end">
          <Button onDo={onClose}>{b('cancel')}</Button>
          <button type="submit" class="button main" aria-busy={busy.value}>{b('users.add')}</button>
        </p>
      </form>
    </Dialog>
  );
}
