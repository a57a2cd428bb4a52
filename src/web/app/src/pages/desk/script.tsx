// What agents say to callers of the queue: in the caller's language where that is known and there, else in the agent's.
import { lang, t } from '../../i18n';
import { centre } from '../../live/store';

export function Script({ queue, language }: { queue: string | null | undefined; language: string | undefined }) {
  const script = centre.value?.queues.find((terms) => terms.id === queue)?.script ?? {};
  const order = [language, lang.value, ...(centre.value?.languages ?? []), ...Object.keys(script)];
  const chosen = order.find((one) => one && script[one]);
  if (!chosen) return null;
  return (
    <>
      <h3>{t('script.title')}</h3>
      <p class="script" lang={chosen} tabIndex={0}>
        {script[chosen]}
      </p>
    </>
  );
}
