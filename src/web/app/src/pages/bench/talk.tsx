// What a caller and a bot would say to each other.
import type { Schemas } from '../../api/client';
import { share } from '../../i18n';
import { b } from '../../i18n/bench';
import { Said } from '../../ui/parts';

type Conversation = Schemas['Conversation'];
type Turn = Conversation['transcript'][number];

export function Talk({ of }: { of: Conversation }) {
  const slots = Object.entries(of.slots);
  return (
    <section class="talk" aria-label={b('talk.with', { bot: of.bot })}>
      <h3>{b('talk.with', { bot: of.bot })} · {of.language}</h3>
      <ol>{of.transcript.map((turn, at) => <li key={at} class={turn.who}><OneTurn turn={turn} misses={of.misses} /></li>)}</ol>
      {slots.length > 0 && <p class="small-text">{b('talk.noted')} {slots.map(([name, value]) => `${name} = ${value}`).join(', ')}</p>}
      {of.served && <p class="small-text tone-good">{b('talk.served')}</p>}
      {of.reason && <p class="small-text tone-warn">{b(`talk.reason.${of.reason}`)}</p>}
    </section>
  );
}

function OneTurn({ turn, misses }: { turn: Turn; misses: string[] }) {
  if (turn.who === 'bot') {
    return <><strong>{b('talk.bot')}</strong> <span class="chips">{turn.prompts.map((prompt, at) => <span key={at} class="chip">{prompt}</span>)}</span></>;
  }
  const [intent, likely] = turn.intent ?? [];
  return (
    <>
      <strong>{b('talk.caller')}</strong> <Said>{turn.text}</Said>{' '}
      {intent && <small class="quiet-text">{intent} {share(Number(likely))}</small>}
      {misses.includes(turn.text) && <small class="tone-warn">{b('talk.notUnderstood')}</small>}
    </>
  );
}
