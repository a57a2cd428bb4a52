// The call in hand: who, why, how long, and what can be done with it; then what it came to.
import type { Call, Schemas } from '../../api/client';
import { span, t } from '../../i18n';
import { type EndedCall, me, serverNow } from '../../live/store';
import * as phone from '../../phone';
import { Icon } from '../../ui/icons';
import { Button, Said, Since, State } from '../../ui/parts';
import { BotTalk } from './bot';
import { Consulting } from './consult';
import { Contacts, Why } from './contacts';
import { hand, own, wrapping } from './own';
import { Keypad } from './keypad';
import { Ringing } from './phone';
import { Script } from './script';
import * as steer from './steer';
import { Wrap } from './wrap';

export function Hand() {
  const call = hand.value;
  const over = wrapping.value;
  const live = call && call.state !== 'ending' && own.value?.state !== 'wrap_up';
  return (
    <section class="card hand" aria-labelledby="hand-title">
      <header>
        <h2 id="hand-title">{t('desk.call')}</h2>
        {live && <CallState state={call.state} />}
      </header>
      <Warnings />
      {live ? <InHand call={call} /> : over ? <Over call={over} /> : onThisPhone() ? <Other /> : <Idle />}
    </section>
  );
}

function CallState({ state }: { state: Call['state'] }) {
  return <span class={`state ${state}`}>{t(`call.state.${state}`)}</span>;
}

function Warnings() {
  const agent = own.value;
  if (agent?.state === 'not_responding') return <p class="banner">{t('state.notResponding')}</p>;
  if (agent && !agent.reachable && agent.state !== 'logged_out') return <p class="banner">{t('state.noPhone')}</p>;
  return null;
}

function Idle() {
  const state = own.value?.state ?? 'logged_out';
  const hint =
    state === 'available' ? t('desk.idle.available') : state === 'paused' ? t('desk.idle.paused') : state === 'logged_out' ? t('desk.idle.logged_out') : '';
  return (
    <div class="idle">
      <Icon name="phone" />
      <strong>{t('desk.idle')}</strong>
      <p>{hint}</p>
    </div>
  );
}

const onThisPhone = () => phone.ringing.value !== null || phone.busy.value;

/** What is on the phone in this page and no caller of theirs: a colleague who rings them, a talk they listen to. */
function Other() {
  const rings = phone.ringing.value;
  return (
    <>
      <div class="head">
        <p class="caller">{rings ? <Said>{rings.from}</Said> : t('desk.other')}</p>
      </div>
      {rings ? (
        <Ringing />
      ) : (
        <div class="actions">
          <span class="room" />
          <Button icon="hangUp" kind="danger" shortcut="x" onDo={() => phone.decline()}>
            {t('desk.hangUp')}
          </Button>
        </div>
      )}
    </>
  );
}

function Caller({ from }: { from: string }) {
  const withheld = !from || from === 'anonymous';
  return <p class="caller">{withheld ? t('desk.withheld') : <Said>{from}</Said>}</p>;
}

function InHand({ call }: { call: Call }) {
  const ringing = own.value?.state === 'ringing' || own.value?.state === 'reserved';
  const talking = !ringing && ['talking', 'holding', 'consulting', 'conference'].includes(call.state);
  return (
    <>
      <div class="head">
        <div class="who">
          <Caller from={call.from} />
          {call.outgoing && <span class="chip">{t('desk.outgoing')}</span>}
        </div>
        <dl class="facts">
          <div>
            <dt>{t('desk.queue')}</dt>
            <dd>{call.queue ?? t('unit.none')}</dd>
          </div>
          <div>
            <dt>{t('desk.waited')}</dt>
            <dd>{waited(call)}</dd>
          </div>
          <div>
            <dt>{t('desk.duration')}</dt>
            <dd>
              <Since at={call.answered_at ?? call.started_at} />
            </dd>
          </div>
          <div>
            <dt class="sr-only">{t('desk.dialled', { number: '' })}</dt>
            <dd class="quiet-text">
              <Said>{t('desk.dialled', { number: call.to })}</Said>
            </dd>
          </div>
        </dl>
      </div>
      {ringing && <Ringing />}
      {talking && <Actions call={call} />}
      {talking && call.consult && <Consulting consult={call.consult} />}
      <div class="parts">
        <div>
          <BotTalk conversations={call.conversations} />
          <Why id={call.call_id} changes={`${call.state}${call.agent}`} />
          {talking && <Parties call={call} />}
          {talking && <Wrap id={call.call_id} over={false} />}
        </div>
        <div>
          <Script queue={call.queue} language={call.conversations?.at(-1)?.language} />
          <Contacts id={call.call_id} />
        </div>
      </div>
    </>
  );
}

function Actions({ call }: { call: Call }) {
  const leg = steer.ownLeg(call);
  const held = steer.isHeld(call);
  return (
    <div class="actions">
      <Button icon={held ? 'resume' : 'hold'} pressed={held} shortcut="h" onDo={steer.toggleHold}>
        {held ? t('desk.resume') : t('desk.hold')}
      </Button>
      <Button icon={leg?.muted ? 'mute' : 'mic'} pressed={leg?.muted ?? false} shortcut="m" onDo={steer.toggleMute}>
        {leg?.muted ? t('desk.unmute') : t('desk.mute')}
      </Button>
      <Tape state={call.recording ?? null} />
      <Keypad />
      <span class="room" />
      <Button icon="hangUp" kind="danger" shortcut="x" onDo={steer.hangUp}>
        {t('desk.hangUp')}
      </Button>
    </div>
  );
}

function waited(call: Call): string {
  if (call.wait_ms != null) return span(call.wait_ms);
  return call.waiting_since ? span(serverNow.value - Date.parse(call.waiting_since)) : t('unit.none');
}

function Over({ call }: { call: Call | EndedCall }) {
  return (
    <>
      <div class="head">
        <div class="who">
          <Caller from={call.from} />
          <State state="wrap_up" />
          {own.value && <Since at={own.value.since} class="quiet-text" />}
        </div>
      </div>
      {phone.ringing.value && <Ringing />}
      <div class="parts">
        <div>
          <Wrap id={call.call_id} over />
        </div>
        <div>
          <BotTalk conversations={call.conversations} />
          <Contacts id={call.call_id} />
        </div>
      </div>
    </>
  );
}

function Tape({ state }: { state: Schemas['RecordingWish'] | null }) {
  const shown = state === 'on' || state === 'paused' ? state : 'off';
  return (
    <>
      {shown === 'off' ? (
        <Button icon="record" onDo={() => steer.record('on')}>
          {t('desk.record')}
        </Button>
      ) : (
        <Button icon={shown === 'on' ? 'hold' : 'record'} pressed={shown === 'paused'} onDo={() => steer.record(shown === 'on' ? 'paused' : 'on')}>
          {shown === 'on' ? t('desk.recordPause') : t('desk.recordGoOn')}
        </Button>
      )}
      <span class={`tape ${shown}`} role="status">
        {t(`desk.recording.${shown}`)}
      </span>
    </>
  );
}

function Parties({ call }: { call: Call }) {
  return (
    <>
      <h3>{t('desk.parties')}</h3>
      <ul class="parties">
        {call.legs.map((leg) => (
          <li key={leg.leg_id}>
            <span class="quiet-text small-text">{t(`role.${leg.role}`)}</span>
            <Said>{userOf(leg.address)}</Said>
            {leg.role === 'agent' && userOf(leg.address) === me.value?.agent && <span class="chip">{t('desk.you')}</span>}
            {leg.muted && <span class="chip">{t('desk.muted')}</span>}
            {leg.on_hold && <span class="chip">{t('desk.onHold')}</span>}
          </li>
        ))}
      </ul>
    </>
  );
}

export function userOf(address: string): string {
  const rest = address.replace(/^sips?:/i, '');
  return rest.includes('@') ? rest.slice(0, rest.indexOf('@')) : rest;
}
