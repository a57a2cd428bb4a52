// Asks which way a call would take: by the drafts, and without a call.
import { useSignal } from '@preact/signals';
import { api, ok, type Schemas } from '../../api/client';
import { dateTime, t, zone } from '../../i18n';
import { b } from '../../i18n/bench';
import { queues } from '../../live/store';
import { Icon } from '../../ui/icons';
import { Said } from '../../ui/parts';
import { Levels } from '../board/trace';
import { asked } from './asked';
import { About } from './findings';
import { travelled } from './picture';
import { changes, drafts, list } from './state';
import { Talk } from './talk';

type Told = Schemas['Told'];
const OUTCOMES = ['answered', 'full', 'timed_out', 'too_long', 'left:1'] as const;

const way = asked(async (call: Omit<Schemas['TraceBody'], 'changes'>) => {
  const of = drafts.value;
  const told = await ok(api.POST('/plans/trace', { body: { ...call, changes: changes() } }));
  travelled.value = { to: told.to, rules: new Set(told.levels.map((level) => `${level.plan}/${level.level}/${level.taken}`)), of };
  // A pair is a list to the client's types.
  return told as Told;
});

/** What was filled in stays while one looks at something else. */
const form = { to: '', from: '', trunk: '', at: '', digits: '', say: '', language: '', queues: {} as Record<string, string> };

/** The instant at which the clocks of the centre show this. */
export function instant(shown: string, zone: string | undefined): string {
  const utc = Date.parse(`${shown}Z`);
  const clock = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
  const ahead = (at: number) => Date.parse(`${clock.format(at).replace(' ', 'T')}Z`) - at;
  return new Date(utc - ahead(utc - ahead(utc))).toISOString();
}

export function TraceTab() {
  const changed = useSignal(0);
  const set = (name: Exclude<keyof typeof form, 'queues'>) => (event: { currentTarget: HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement }) => {
    form[name] = event.currentTarget.value;
    changed.value += 1;
  };
  void changed.value;
  const numbers = [...new Set(list.value?.files.flatMap((view) => view.numbers) ?? [])].sort();
  const submit = (event: Event) => {
    event.preventDefault();
    const say = form.say.split('\n').map((line) => line.trim()).filter(Boolean);
    const some = {
      ...(form.trunk ? { trunk: form.trunk } : {}),
      ...(form.at ? { at: instant(form.at, zone.value) } : {}),
      ...(form.language ? { language: form.language } : {}),
      ...(say.length ? { say } : {}),
    };
    void way.ask({ to: form.to.trim(), from: form.from.trim(), digits: form.digits, queues: form.queues, ...some });
  };
  return (
    <div class="tab-body">
      <form class="fields" onSubmit={submit}>
        <label>{b('trace.to')}<input type="text" required list="bench-numbers" autocomplete="off" value={form.to} onInput={set('to')} /></label>
        <datalist id="bench-numbers">{numbers.map((number) => <option key={number} value={number} />)}</datalist>
        <label>{b('trace.from')}<input type="text" autocomplete="off" placeholder={b('trace.withheld')} value={form.from} onInput={set('from')} /></label>
        <TrunkChoice chosen={form.trunk} choose={set('trunk')} />
        <label>{b('trace.at')}<input type="datetime-local" value={form.at} onInput={set('at')} /></label>
        <label>{b('trace.digits')}<input type="text" autocomplete="off" placeholder="1 2 3#" value={form.digits} onInput={set('digits')} /></label>
        <label class="broad">{b('trace.say')}<textarea rows={2} value={form.say} onInput={set('say')} /></label>
        <details class="broad">
          <summary>{b('trace.more')}</summary>
          <div class="fields">
            <label>{b('trace.language')}<input type="text" autocomplete="off" value={form.language} onInput={set('language')} /></label>
            {[...queues.value.keys()].sort().map((queue) => <QueueChoice key={queue} queue={queue} />)}
          </div>
        </details>
        <button type="submit" class="button main broad" aria-busy={way.busy.value}><Icon name="trace" />{b('trace.ask')}</button>
      </form>
      <About of={way} />
      {way.said.value && <Way told={way.said.value} />}
    </div>
  );
}

/** A trunk offers some plans and not others, and a plan may ask by which the call came. */
function TrunkChoice({ chosen, choose }: { chosen: string; choose: (event: { currentTarget: HTMLSelectElement }) => void }) {
  return (
    <label>
      {b('trace.trunk')}
      <select value={chosen} onChange={choose}>
        <option value="">{b('trace.trunk.first')}</option>
        {list.value?.trunks.map((trunk) => <option key={trunk} value={trunk}>{trunk}</option>)}
      </select>
    </label>
  );
}

function QueueChoice({ queue }: { queue: string }) {
  return (
    <label>
      {b('trace.queue', { queue })}
      <select value={form.queues[queue] ?? ''} onChange={(event) => {
        const { [queue]: _, ...others } = form.queues;
        form.queues = event.currentTarget.value ? { ...others, [queue]: event.currentTarget.value } : others;
      }}>
        <option value="">{b('trace.queue.usual')}</option>
        {OUTCOMES.map((one) => <option key={one} value={one}>{b(`trace.queue.${one}`)}</option>)}
      </select>
    </label>
  );
}

function Way({ told }: { told: Told }) {
  const facts: [string, string | null | undefined][] = [
    [b('trace.plan'), told.plan],
    [b('trace.trunk'), told.trunk],
    [b('trace.when'), dateTime(told.at)],
    [b('trace.language'), told.language],
    [b('trace.outcome'), `${t(`outcome.${told.outcome}`)} · ${told.sip_status}`],
    [b('trace.toQueue'), told.queue],
    [b('trace.target'), told.target],
    [b('trace.digitsLeft'), told.digits_left],
    [b('trace.notSaid'), told.not_said.join(' · ')],
  ];
  return (
    <section class="trace" aria-label={b('trace.way')}>
      <dl class="facts">
        {facts.map(([name, value]) => value && <div key={name}><dt>{name}</dt><dd><Said>{value}</Said></dd></div>)}
      </dl>
      <Levels levels={told.levels} />
      {told.omitted > 0 && <p class="quiet-text">{b('trace.omitted', { n: told.omitted })}</p>}
      {told.conversations.map((talk, at) => <Talk key={at} of={talk} />)}
      {told.heard.length > 0 && (
        <>
          <h3>{b('trace.heard')}</h3>
          <p class="chips">{told.heard.map((prompt, at) => <span key={at} class="chip">{prompt}</span>)}</p>
        </>
      )}
    </section>
  );
}
