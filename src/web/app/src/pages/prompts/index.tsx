// What callers hear: every prompt with its sound in each language, and what is missing.
import '../../styles/board.css';
import '../../styles/operator.css';
import '../../styles/people.css';
import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { lang, t } from '../../i18n';
import { b } from '../../i18n/bench';
import { act } from '../../ui/act';
import { Button, Card, Said } from '../../ui/parts';
import { AddDialog } from './add';
import { PromptDialog } from './dialog';
import { Play, silence } from './player';
import { type Cell, conditionOf, isMissing, isPiece, isSame, languageName, type Prompt, prompts, readPrompts, takeOf, told } from './state';

export default function Prompts() {
  const filter = useSignal('');
  const only = useSignal(false);
  const pieces = useSignal(false);
  const adding = useSignal(false);
  const open = useSignal<Cell | null>(null);
  useEffect(() => {
    void act(readPrompts);
    return silence;
  }, []);
  const list = prompts.value;
  if (!list) return <p class="centered">{t('app.loading')}</p>;
  const wanted = filter.value.trim().toLowerCase();
  const fits = (prompt: Prompt) => [prompt.name, ...Object.values(prompt.texts)].some((text) => text.toLowerCase().includes(wanted));
  const lacks = (prompt: Prompt) => list.languages.some((language) => isMissing(prompt, language));
  const kind = list.prompts.filter((prompt) => pieces.value || !isPiece(prompt.name));
  const shown = kind.filter((prompt) => fits(prompt) && (!only.value || lacks(prompt)));
  return (
    <div class="board">
      <h1 class="sr-only">{t('nav.prompts')}</h1>
      <Card title={b('prompts.title')} action={
        <Button small kind="main" icon="join" onDo={() => {
          adding.value = true;
        }}>{b('prompts.add')}</Button>
      }>
        <div class="filters">
          <label>
            {b('prompts.filter')}
            <input type="search" value={filter.value} onInput={(event) => {
              filter.value = event.currentTarget.value;
            }} />
          </label>
          <Check label={b('prompts.missingOnly')} on={only} />
          <Check label={b('prompts.pieces')} on={pieces} />
          <span class="quiet-text" role="status">{b('prompts.shown', { n: shown.length, all: kind.length })}</span>
        </div>
        <div class="table-box roomy" tabIndex={0} role="region" aria-label={b('prompts.title')}>
          <table class="prompts">
            <thead>
              <tr>
                <th scope="col">{b('prompts.name')}</th>
                {list.languages.map((language) => <Heading key={language} language={language} />)}
              </tr>
            </thead>
            <tbody>
              {shown.map((prompt) => (
                <Row key={prompt.name} prompt={prompt} languages={list.languages} onOpen={(cell) => {
                  open.value = cell;
                }} />
              ))}
            </tbody>
          </table>
        </div>
        {shown.length === 0 && <p class="empty">{b('prompts.none')}</p>}
      </Card>
      {adding.value && <AddDialog onClose={() => {
        adding.value = false;
      }} onAdd={(cell) => {
        adding.value = false;
        open.value = cell;
      }} />}
      {open.value && <PromptDialog cell={open.value} onClose={() => {
        open.value = null;
      }} />}
    </div>
  );
}

function Check({ label, on }: { label: string; on: Signal<boolean> }) {
  return (
    <label class="inline">
      <input type="checkbox" checked={on.value} onChange={(event) => {
        on.value = event.currentTarget.checked;
      }} />
      {label}
    </label>
  );
}

function Heading({ language }: { language: string }) {
  const lacking = prompts.value?.prompts.filter((prompt) => isMissing(prompt, language)).length ?? 0;
  return (
    <th scope="col">
      {languageName(language)} {lacking > 0 && <span class="chip wrong">{b('prompts.missing', { n: lacking })}</span>}
    </th>
  );
}

function Row({ prompt, languages, onOpen }: { prompt: Prompt; languages: string[]; onOpen: (cell: Cell) => void }) {
  const [own] = languages;
  const words = prompt.texts[lang.value] ?? prompt.texts[own ?? ''];
  return (
    <tr>
      <th scope="row">
        <Said>{prompt.name}</Said>
        {words && <small class="words"><bdi>{words}</bdi></small>}
      </th>
      {isSame(prompt.name)
        ? <td colSpan={languages.length}><Sound prompt={prompt} language={null} onOpen={onOpen} /></td>
        : languages.map((language) => <td key={language}><Sound prompt={prompt} language={language} onOpen={onOpen} /></td>)}
    </tr>
  );
}

function Sound({ prompt, language, onOpen }: { prompt: Prompt; language: string | null; onOpen: (cell: Cell) => void }) {
  const cell = { name: prompt.name, language };
  const condition = conditionOf(prompt, language);
  const label = b('prompts.open', { name: prompt.name, language: languageName(language), state: told(condition) });
  return (
    <span class="cell">
      {takeOf(prompt, language) ? <Play cell={cell} /> : <span class="no-sound" />}
      <button type="button" class={`chip ${condition}`} aria-label={label} onClick={() => onOpen(cell)}>{told(condition)}</button>
      {language === null && <span class="quiet-text">{b('prompts.every')}</span>}
    </span>
  );
}
