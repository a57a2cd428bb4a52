import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { api, Refused } from '../api/client';
import { enter } from '../app';
import { t } from '../i18n';

export function Login({ over }: { over: boolean }) {
  const user = useSignal('');
  const password = useSignal('');
  const code = useSignal('');
  const needsCode = useSignal(false);
  const fault = useSignal(over ? t('login.over') : '');
  const busy = useSignal(false);
  const first = useRef<HTMLInputElement>(null);
  const second = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  useEffect(() => {
    if (needsCode.value) second.current?.focus();
  }, [needsCode.value]);

  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy.value) return;
    busy.value = true;
    fault.value = '';
    try {
      const given = needsCode.value ? { code: code.value } : {};
      await api.POST('/login', { body: { user: user.value, password: password.value, ...given } });
      await enter();
      return;
    } catch (error) {
      if (error instanceof Refused && error.code === 'code_needed') {
        needsCode.value = true;
        fault.value = t('login.codeNeeded');
      } else if (error instanceof Refused && error.status === 429) {
        fault.value = t('login.tooMany', { minutes: Math.ceil((error.retryAfter ?? 60) / 60) });
      } else if (error instanceof Refused) {
        fault.value = error.status === 401 ? t('login.wrong') : error.message;
      } else {
        fault.value = t('app.unreachable');
      }
    }
    busy.value = false;
  };

  return (
    <main class="login">
      <form onSubmit={submit}>
        <div class="mark">
          <img src="/mark.svg" alt="" />
          <h1>{t('app.name')}</h1>
        </div>
        <label>
          {t('login.user')}
          <input type="text" ref={first} autocomplete="username" autocapitalize="none" spellcheck={false} required value={user.value}
            onInput={(event) => {
              user.value = event.currentTarget.value;
            }} />
        </label>
        <label>
          {t('login.password')}
          <input type="password" autocomplete="current-password" required value={password.value}
            onInput={(event) => {
              password.value = event.currentTarget.value;
            }} />
        </label>
        {needsCode.value && (
          <label>
            {t('login.code')}
            <input type="text" ref={second} inputMode="numeric" autocomplete="one-time-code" required value={code.value}
              onInput={(event) => {
                code.value = event.currentTarget.value;
              }} />
          </label>
        )}
        <p class="error" role="alert">{fault.value}</p>
        <button type="submit" class="button main" aria-busy={busy.value}>{t('login.submit')}</button>
      </form>
    </main>
  );
}
