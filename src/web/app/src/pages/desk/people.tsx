// Whom an agent may ask or hand over to: experts with their presence, colleagues, queues, any number. Colleagues who are not
// there show when they are searched for.
import { useSignal } from '@preact/signals';
import { span, t } from '../../i18n';
import { agents, experts, me, queues, serverNow } from '../../live/store';
import { Button, Card, Said, State } from '../../ui/parts';
import { BriefingChoice } from './briefing';
import { hand, own } from './own';
import { SEARCH } from './keys';
import * as steer from './steer';

const NUMBER = /^\+?[0-9 ().-]{3,}$/;
const COLLEAGUES_SHOWN = 40;

export function People() {
  const search = useSignal('');
  const wanted = search.value.trim().toLowerCase();
  const fits = (...texts: string[]) => !wanted || texts.some((text) => text.toLowerCase().includes(wanted));
  const theExperts = [...experts.value.values()].filter((one) => fits(one.id, one.name, ...one.competence));
  const rank: Record<string, number> = { available: 0, wrap_up: 1, paused: 2, talking: 3, holding: 3, ringing: 3, reserved: 3 };
  const colleagues = [...agents.value.values()]
    .filter((one) => one.id !== me.value?.agent && (wanted ? fits(one.id, one.name) : one.state !== 'logged_out'))
    .sort((a, b) => (rank[a.state] ?? 9) - (rank[b.state] ?? 9) || a.id.localeCompare(b.id))
    .slice(0, COLLEAGUES_SHOWN);
  const theQueues = [...queues.value.values()].filter((queue) => fits(queue.id));
  const dialled = NUMBER.test(search.value.trim()) ? search.value.trim().replace(/[ ().-]/g, '') : null;
  const nobody = theExperts.length + colleagues.length + theQueues.length === 0 && !dialled;
  return (
    <Card title={t('people.title')} class="people">
      <div class="find">
        <input id={SEARCH} type="search" placeholder={t('people.search')} aria-label={t('people.search')} value={search.value}
          onInput={(event) => {
            search.value = event.currentTarget.value;
          }} />
      </div>
      {canReach() && <BriefingChoice />}
      <div class="scroll" tabIndex={0} role="group" aria-label={t('people.title')}>
        {dialled && (
          <ul class="rows">
            <li>
              <span class="name">{t('people.number', { number: dialled })}</span>
              <Reach to={`tel:${dialled}`} name={dialled} />
            </li>
          </ul>
        )}
        {theExperts.length > 0 && <h3>{t('people.experts')}</h3>}
        <ul class="rows">
          {theExperts.map((expert) => (
            <li key={expert.id}>
              <span class="name">
                <Said>{expert.name}</Said>
                <small>
                  {expert.heard_at ? t('presence.age', { age: span(serverNow.value - Date.parse(expert.heard_at)) }) : t('presence.never')}
                  {!expert.open && <> · {t('people.outOfHours')}</>}
                  {expert.competence.length > 0 && <> · {expert.competence.join(', ')}</>}
                </small>
              </span>
              <span class="end">
                <span class={`state ${expert.presence}`}>{t(`presence.${expert.presence}`)}</span>
                <Reach to={`expert:${expert.id}`} name={expert.name} />
              </span>
            </li>
          ))}
        </ul>
        {colleagues.length > 0 && <h3>{t('people.colleagues')}</h3>}
        <ul class="rows">
          {colleagues.map((agent) => (
            <li key={agent.id}>
              <span class="name">
                <Said>{agent.name}</Said>
                <small>{agent.id}</small>
              </span>
              <span class="end">
                <State state={agent.state} />
                <Reach to={`agent:${agent.id}`} name={agent.name} />
              </span>
            </li>
          ))}
        </ul>
        {hand.value && theQueues.length > 0 && <h3>{t('people.queues')}</h3>}
        {hand.value && (
          <ul class="rows">
            {theQueues.map((queue) => (
              <li key={queue.id}>
                <span class="name">
                  <span>{queue.id}</span>
                  <small>
                    {queue.waiting} {t('queues.waiting')}
                  </small>
                </span>
                <Reach to={`queue:${queue.id}`} name={queue.id} />
              </li>
            ))}
          </ul>
        )}
        {nobody && <p class="empty">{t('people.none')}</p>}
      </div>
    </Card>
  );
}

/** Only with a caller on the line is there somebody to hand over. */
function canReach(): boolean {
  const call = hand.value;
  const talks = ['talking', 'holding'].includes(own.value?.state ?? '');
  return talks && call !== undefined && ['talking', 'holding', 'conference'].includes(call.state) && !call.consult;
}

function Reach({ to, name }: { to: string; name: string }) {
  if (!canReach()) return null;
  return (
    <span class="end">
      {!to.startsWith('queue:') && (
        <Button small icon="people" label={t('people.consultWith', { name })} onDo={() => steer.consult(to)} />
      )}
      <Button small icon="transfer" label={t('people.transferTo', { name })} onDo={() => steer.transfer(to)} />
    </span>
  );
}
