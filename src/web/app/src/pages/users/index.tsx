// Who may log in, for administrators.
import '../../styles/board.css';
import '../../styles/operator.css';
import '../../styles/people.css';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { dateTime, t } from '../../i18n';
import { b } from '../../i18n/bench';
import { me } from '../../live/store';
import { act } from '../../ui/act';
import { Button, Card, Said } from '../../ui/parts';
import { AddDialog } from './add';
import { EditDialog } from './edit';
import { readUsers, type User, users } from './state';

export default function Users() {
  const filter = useSignal('');
  const adding = useSignal(false);
  const edited = useSignal<string | null>(null);
  useEffect(() => {
    void act(readUsers);
  }, []);
  if (!users.value) return <p class="centered">{t('app.loading')}</p>;
  const wanted = filter.value.trim().toLowerCase();
  const shown = users.value.filter((user) => [user.id, user.name, user.agent ?? ''].some((text) => text.toLowerCase().includes(wanted)));
  const user = users.value.find((one) => one.id === edited.value);
  return (
    <div class="board">
      <h1 class="sr-only">{t('nav.users')}</h1>
      <Card title={b('users.title')} action={
        <Button small kind="main" icon="join" onDo={() => {
          adding.value = true;
        }}>{b('users.add')}</Button>
      }>
        <div class="filters">
          <label>
            {b('users.filter')}
            <input type="search" value={filter.value} onInput={(event) => {
              filter.value = event.currentTarget.value;
            }} />
          </label>
        </div>
        <div class="table-box roomy" tabIndex={0} role="region" aria-label={b('users.title')}>
          <table>
            <thead>
              <tr>
                <th scope="col">{b('users.id')}</th>
                <th scope="col">{b('users.name')}</th>
                <th scope="col">{b('users.role')}</th>
                <th scope="col">{b('users.agent')}</th>
                <th scope="col">{b('users.state')}</th>
                <th scope="col">{b('users.secondFactor')}</th>
                <th scope="col" class="n">{b('users.sessions')}</th>
                <th scope="col">{b('users.created')}</th>
                <th scope="col"><span class="sr-only">{b('users.actions')}</span></th>
              </tr>
            </thead>
            <tbody>
              {shown.map((one) => (
                <Row key={one.id} user={one} onEdit={() => {
                  edited.value = one.id;
                }} />
              ))}
            </tbody>
          </table>
        </div>
        {shown.length === 0 && <p class="empty">{b('users.none')}</p>}
      </Card>
      {adding.value && <AddDialog onClose={() => {
        adding.value = false;
      }} />}
      {user && <EditDialog key={user.id} user={user} onClose={() => {
        edited.value = null;
      }} />}
    </div>
  );
}

function Row({ user, onEdit }: { user: User; onEdit: () => void }) {
  return (
    <tr>
      <th scope="row"><Said>{user.id}</Said>{user.id === me.value?.user && <span class="chip self">{b('users.you')}</span>}</th>
      <td><Said>{user.name}</Said></td>
      <td>{b(`users.role.${user.role}`)}</td>
      <td>{user.agent && <Said>{user.agent}</Said>}</td>
      <td>
        {user.configured && <span class="chip">{b('users.configured')}</span>}
        {!user.configured && <span class={`state ${user.disabled ? 'offline' : 'available'}`}>{b(user.disabled ? 'users.disabled' : 'users.enabled')}</span>}
      </td>
      <td>{b(user.second_factor ? 'users.on' : 'users.off')}</td>
      <td class="n">{user.sessions}</td>
      <td>{user.created_at && dateTime(user.created_at)}</td>
      <td class="n"><Button small label={b('users.edit', { name: user.id })} onDo={onEdit}>{b('users.change')}</Button></td>
    </tr>
  );
}
