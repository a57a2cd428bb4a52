// One user: what they are called and may do, their password, second factor and sessions, and their end.
import { useSignal } from '@preact/signals';
import { api, ok } from '../../api/client';
import { b } from '../../i18n/bench';
import { me } from '../../live/store';
import { act, tell } from '../../ui/act';
import { type Fault, faultOf } from '../../ui/fault';
import { Button, Dialog } from '../../ui/parts';
import { Factor } from './factor';
import { PersonFields } from './fields';
import { readUsers, type User } from './state';

const pathOf = (user: User) => ({ params: { path: { id: user.id } } });

export function EditDialog({ user, onClose }: { user: User; onClose: () => void }) {
  return (
    <Dialog title={b('users.edit', { name: user.id })} onClose={onClose}>
      <div class="body person">
        {user.configured && <p>{b('users.configured.hint')}</p>}
        {!user.configured && <Account user={user} />}
        {!user.configured && <Password user={user} />}
        {!user.configured && <SecondFactor user={user} />}
        <Sessions user={user} />
        {!user.configured && <Remove user={user} onClose={onClose} />}
      </div>
    </Dialog>
  );
}

function Account({ user }: { user: User }) {
  const name = useSignal(user.name);
  const role = useSignal(user.role);
  const agent = useSignal(user.agent ?? '');
  const language = useSignal(user.language ?? '');
  const disabled = useSignal(user.disabled);
  const fault = useSignal<Fault | null>(null);
  const busy = useSignal(false);
  const self = user.id === me.value?.user;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy.value) return;
    busy.value = true;
    const number = role.value === 'agent' ? agent.value.trim() : null;
    try {
      const body = {
        name: name.value.trim() || user.id,
        language: language.value || null,
        // What is sent, and not only what changed, ends sessions.
        ...(role.value === user.role ? {} : { role: role.value }),
        ...(number === (user.agent ?? null) ? {} : { agent: number }),
        ...(disabled.value === user.disabled ? {} : { disabled: disabled.value }),
      };
      await api.PATCH('/users/{id}', { ...pathOf(user), body });
      fault.value = null;
      await readUsers();
      tell('done', b('users.saved'));
    } catch (error) {
      fault.value = faultOf(error);
    }
    busy.value = false;
  };
  return (
    <form class="stack" onSubmit={submit} aria-label={b('users.account')}>
      <PersonFields name={name} role={role} agent={agent} language={language} fixedRole={self} />
      {!self && (
        <label class="inline">
          <input type="checkbox" checked={disabled.value} onChange={(event) => {
            disabled.value = event.currentTarget.checked;
          }} />
          {b('users.disable')}
        </label>
      )}
      {fault.value && <p class="tone-alert" role="alert">{fault.value.message}</p>}
      <p class="row">
        <button type="submit" class="button main" aria-busy={busy.value}>{b('users.save')}</button>
        <small class="quiet-text">{b('users.save.hint')}</small>
      </p>
    </form>
  );
}

function Password({ user }: { user: User }) {
  const password = useSignal('');
  const submit = (event: Event) => {
    event.preventDefault();
    void act(async () => {
      await api.POST('/users/{id}/password', { ...pathOf(user), body: { password: password.value } });
      password.value = '';
      tell('done', b('users.password.done'));
      if (user.id !== me.value?.user) await readUsers();
    });
  };
  return (
    <form class="stack" onSubmit={submit} aria-label={b('users.password')}>
      <label>
        {b('users.password.new')}
        <input type="password" required autocomplete="new-password" minLength={8} maxLength={256} value={password.value} onInput={(event) => {
          password.value = event.currentTarget.value;
        }} />
        <small class="quiet-text">{b('users.password.hint')}</small>
      </label>
      <p><button type="submit" class="button">{b('users.password.set')}</button></p>
    </form>
  );
}

function SecondFactor({ user }: { user: User }) {
  const address = useSignal<string | null>(null);
  return (
    <section class="stack" aria-label={b('users.secondFactor')}>
      <h3>{b('users.secondFactor')}: {b(user.second_factor ? 'users.on' : 'users.off')}</h3>
      {address.value && <Factor address={address.value} />}
      <p class="row">
        <Button onDo={async () => {
          address.value = (await ok(api.POST('/users/{id}/second-factor', pathOf(user)))).url;
          await readUsers();
        }}>{b(user.second_factor ? 'users.factor.anew' : 'users.factor.on')}</Button>
        {user.second_factor && (
          <Button onDo={async () => {
            await api.DELETE('/users/{id}/second-factor', pathOf(user));
            address.value = null;
            await readUsers();
            tell('done', b('users.factor.done'));
          }}>{b('users.factor.off')}</Button>
        )}
      </p>
    </section>
  );
}

function Sessions({ user }: { user: User }) {
  return (
    <section class="stack" aria-label={b('users.sessions')}>
      <h3>{b('users.sessions')}: {user.sessions}</h3>
      <p>
        <Button disabled={user.sessions === 0} onDo={async () => {
          await api.DELETE('/users/{id}/sessions', pathOf(user));
          tell('done', b('users.sessions.done'));
          if (user.id !== me.value?.user) await readUsers();
        }}>{b('users.sessions.end')}</Button>
      </p>
    </section>
  );
}

function Remove({ user, onClose }: { user: User; onClose: () => void }) {
  const sure = useSignal(false);
  if (user.id === me.value?.user) return <p class="quiet-text">{b('users.remove.self')}</p>;
  return (
    <section class="stack" aria-label={b('users.remove', { name: user.id })}>
      {!sure.value && (
        <p>
          <Button onDo={() => {
            sure.value = true;
          }}>{b('users.remove', { name: user.id })}</Button>
        </p>
      )}
      {sure.value && (
        <>
          <p class="tone-alert" role="alert">{b('users.remove.ask', { name: user.name })}</p>
          <p class="row">
            <Button kind="danger" onDo={async () => {
              await api.DELETE('/users/{id}', pathOf(user));
              onClose();
              await readUsers();
              tell('done', b('users.removed', { name: user.id }));
            }}>{b('users.remove.do')}</Button>
            <Button onDo={() => {
              sure.value = false;
            }}>{b('cancel')}</Button>
          </p>
        </>
      )}
    </section>
  );
}
