// Whether whoever is called hears first who calls, and why.
import { signal } from '@preact/signals';
import { lang, t } from '../../i18n';
import { useWords } from '../../live/words';

/** Of the prompts, those that give a reason; the two that say who calls are no reasons. */
const REASONS = /^briefing-(?!caller$|withheld$)/;

const wanted = signal(false);
const reason = signal('');

/** As the server takes it: nothing, that it is wished for, or by which prompt. */
export const briefing = (): boolean | string | undefined => (wanted.value ? reason.value || true : undefined);

export function BriefingChoice() {
  const words = useWords(lang.value);
  const reasons = Object.keys(words).filter((name) => REASONS.test(name));
  return (
    <div class="briefing">
      <label class="check">
        <input
          type="checkbox"
          checked={wanted.value}
          onChange={(event) => {
            wanted.value = event.currentTarget.checked;
          }}
        />
        {t('briefing.wanted')}
      </label>
      {wanted.value && reasons.length > 0 && (
        <label>
          {t('briefing.reason')}
          <select
            value={reason.value}
            onChange={(event) => {
              reason.value = event.currentTarget.value;
            }}
          >
            <option value="">{t('briefing.plan')}</option>
            {reasons.map((name) => (
              <option key={name} value={name}>
                {words[name]}
              </option>
            ))}
          </select>
        </label>
      )}
    </div>
  );
}
