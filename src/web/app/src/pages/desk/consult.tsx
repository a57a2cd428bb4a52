// Somebody else is asked: where that stands, and what comes of it.
import type { Call } from '../../api/client';
import { t } from '../../i18n';
import { agents, experts } from '../../live/store';
import { Button } from '../../ui/parts';
import * as steer from './steer';

type Consult = NonNullable<Call['consult']>;

function nameOf(to: string): string {
  const [kind, id = ''] = to.split(/:(.*)/);
  if (kind === 'agent') return agents.value.get(id)?.name ?? id;
  if (kind === 'expert') return experts.value.get(id)?.name ?? id;
  return id;
}

/** What the agent should know before waiting long. */
function warnings(consult: Consult): string[] {
  if (consult.state !== 'ringing') return [];
  const presence = consult.presence && consult.presence !== 'free' ? [t(`presence.${consult.presence}`)] : [];
  return consult.open === false ? [...presence, t('people.outOfHours')] : presence;
}

export function Consulting({ consult }: { consult: Consult }) {
  const there = consult.state === 'private' || consult.state === 'swapped';
  return (
    <div class="consultation" role="group" aria-label={t('consult.title')}>
      <p role="status">
        {t(`consult.${consult.state}`, { name: nameOf(consult.to) })}
        {warnings(consult).map((text) => (
          <span key={text} class="chip">
            {text}
          </span>
        ))}
      </p>
      {consult.state !== 'handing_over' && (
        <div class="buttons">
          <Button icon="swap" shortcut="s" disabled={!there} onDo={steer.swap}>
            {t('consult.swap')}
          </Button>
          <Button icon="transfer" kind="main" shortcut="t" onDo={steer.complete}>
            {t('consult.complete')}
          </Button>
          <Button icon="people" shortcut="k" disabled={!there} onDo={steer.conference}>
            {t('consult.conference')}
          </Button>
          <Button icon="back" shortcut="b" onDo={steer.cancel}>
            {t('consult.cancel')}
          </Button>
        </div>
      )}
    </div>
  );
}
