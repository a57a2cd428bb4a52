// What somebody does: one thing at a time a button, and a refusal is told in the server's words.
import { signal } from '@preact/signals';
import { Refused } from '../api/client';
import { t } from '../i18n';

export interface Notice {
  id: number;
  kind: 'error' | 'done';
  text: string;
}

export const notices = signal<Notice[]>([]);
let next = 1;

export function tell(kind: Notice['kind'], text: string) {
  const notice = { id: next++, kind, text };
  notices.value = [...notices.value.slice(-3), notice];
  window.setTimeout(() => dismiss(notice.id), kind === 'error' ? 9_000 : 3_000);
}

export function dismiss(id: number) {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

export function tellError(error: unknown) {
  if (error instanceof Refused) tell('error', error.message);
  else tell('error', t('error.unreachable'));
}

/** Does it, and tells what went wrong. Resolves to whether it was done. */
export async function act(what: () => Promise<unknown>): Promise<boolean> {
  try {
    await what();
    return true;
  } catch (error) {
    tellError(error);
    return false;
  }
}
