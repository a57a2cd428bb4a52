// The fields that a new user and one who is changed have in common.
import type { Signal } from '@preact/signals';
import { t } from '../../i18n';
import { b } from '../../i18n/bench';
import { agents } from '../../live/store';
import { ROLES, type UserRole } from './state';

export interface Fields {
  name: Signal<string>;
  role: Signal<UserRole>;
  agent: Signal<string>;
  language: Signal<string>;
}

export function PersonFields({ name, role, agent, language, fixedRole = false }: Fields & { fixedRole?: boolean }) {
  return (
    <>
      <label>
        {b('users.name')}
        <input type="text" autocomplete="off" value={name.value} onInput={(event) => {
          name.value = event.currentTarget.value;
        }} />
      </label>
      <label>
        {b('users.role')}
        <select disabled={fixedRole} value={role.value} onChange={(event) => {
          role.value = event.currentTarget.value as UserRole;
        }}>
          {ROLES.map((one) => <option key={one} value={one}>{b(`users.role.${one}`)}</option>)}
        </select>
      </label>
      {role.value === 'agent' && (
        <label>
          {b('users.agent')}
          <input type="text" required autocomplete="off" list="agents-known" value={agent.value} onInput={(event) => {
            agent.value = event.currentTarget.value;
          }} />
          <datalist id="agents-known">
            {[...agents.value.values()].map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
          </datalist>
        </label>
      )}
      <label>
        {b('users.language')}
        <select value={language.value} onChange={(event) => {
          language.value = event.currentTarget.value;
        }}>
          <option value="">{b('users.language.own')}</option>
          {(['en', 'fr'] as const).map((one) => <option key={one} value={one}>{t(`lang.${one}`)}</option>)}
        </select>
      </label>
    </>
  );
}
