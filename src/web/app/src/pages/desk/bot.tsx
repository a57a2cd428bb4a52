// What a caller and a bot said to each other before: why a person goes on, what is wanted, and every word of it.
import { useId } from 'preact/hooks';
import type { Schemas } from '../../api/client';
import { share, span, t } from '../../i18n';
import { useWords } from '../../live/words';
import { Said } from '../../ui/parts';

export type Conversation = Schemas['Conversation'];
type Turn = Schemas['Turn'];

/** As the server writes what it keeps to itself. */
const HIDDEN = '(hidden)';

/** Names that are the operator's, as people read them. */
const plain = (name: string) => name.replaceAll('_', ' ');

/** The conversations of a call, the one that led here first. */
export function BotTalk({ conversations }: { conversations: readonly Conversation[] | undefined }) {
  const [last, ...earlier] = (conversations ?? []).toReversed();
  if (!last) return null;
  return (
    <>
      <h3>{t('bot.title')}</h3>
      <Talk conversation={last} />
      {earlier.map((one) => (
        <details key={one.began} class="earlier">
          <summary>{t('bot.earlier', { bot: one.bot })}</summary>
          <Talk conversation={one} />
        </details>
      ))}
    </>
  );
}

function Talk({ conversation: talk }: { conversation: Conversation }) {
  const slots = Object.entries(talk.slots);
  return (
    <div class="bot-talk">
      <p class="reason">{talk.reason ? t(`bot.reason.${talk.reason}`) : t(talk.served ? 'bot.served' : 'bot.left')}</p>
      <dl class="given">
        {talk.intent && (
          <div>
            <dt>{t('bot.intent')}</dt>
            <dd>
              <Said>{plain(talk.intent)}</Said> {talk.confidence != null && <small>{share(talk.confidence)}</small>}
            </dd>
          </div>
        )}
        {slots.map(([name, value]) => (
          <div key={name}>
            <dt>
              <bdi>{plain(name)}</bdi>
            </dt>
            <dd>
              <Shown text={value} />
            </dd>
          </div>
        ))}
        {talk.misses.length > 0 && (
          <div class="misses">
            <dt>{t('bot.misses')}</dt>
            {talk.misses.map((miss, at) => (
              <dd key={at} lang={talk.language}>
                <Shown text={miss} />
              </dd>
            ))}
          </div>
        )}
      </dl>
      <Transcript talk={talk} />
    </div>
  );
}

function Transcript({ talk }: { talk: Conversation }) {
  const title = useId();
  const words = useWords(talk.language);
  return (
    <section class="transcript" aria-labelledby={title}>
      <h4 id={title}>
        {t('bot.transcript')} <span class="quiet-text">{span(talk.lasted_ms)}</span>
      </h4>
      <ol tabIndex={0} aria-labelledby={title}>
        {talk.transcript.map((turn, at) => (
          <Line key={at} turn={turn} words={words} language={talk.language} />
        ))}
        {talk.omitted > 0 && <li class="quiet-text">{t('bot.omitted', { n: talk.omitted })}</li>}
      </ol>
    </section>
  );
}

function Line({ turn, words, language }: { turn: Turn; words: Record<string, string>; language: string }) {
  const text = turn.who === 'bot' ? turn.prompts.map((name) => words[name] ?? name).join(' ') : turn.text;
  return (
    <li class={turn.who}>
      <span class="by">
        {t(turn.who === 'bot' ? 'bot.bot' : 'role.caller')} <span class="time">{span(turn.at_ms)}</span>
        {turn.who === 'caller' && turn.by === 'keys' && <> · {t('bot.byKeys')}</>}
        {turn.who === 'caller' && turn.confidence != null && <> · {t('bot.heard', { share: share(turn.confidence) })}</>}
      </span>
      <span class="text" lang={language}>
        <Shown text={text} />
      </span>
      {turn.who === 'caller' && turn.intent && (
        <small>{t('bot.taken', { intent: plain(turn.intent[0]), share: share(turn.intent[1]) })}</small>
      )}
    </li>
  );
}

/** What was said, with a sign in the place of what is nobody's business. */
function Shown({ text }: { text: string }) {
  const [first = '', ...rest] = text.split(HIDDEN);
  return (
    <bdi class="said">
      {first}
      {rest.map((part, at) => (
        <span key={at}>
          <span class="chip">{t('bot.hidden')}</span>
          {part}
        </span>
      ))}
    </bdi>
  );
}
