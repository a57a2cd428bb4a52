// The prompts and their sounds, as the server last told.
import { signal } from '@preact/signals';
import { api, ok, type Schemas } from '../../api/client';
import { lang } from '../../i18n';
import { b } from '../../i18n/bench';

export type Prompt = Schemas['PromptView'];
export type Condition = 'recorded' | 'made' | 'same' | 'default' | 'nothing' | 'no' | 'foreign';

/** One prompt in one language; null: the sound that is the same in every one. */
export interface Cell {
  name: string;
  language: string | null;
}

export const prompts = signal<Schemas['PromptList'] | null>(null);
/** One more whenever a sound has changed: what was fetched before is old. */
export const generation = signal(0);

export async function readPrompts() {
  prompts.value = await ok(api.GET('/prompts'));
  generation.value += 1;
}

/** `music/default` is the same in every language. */
export const isSame = (name: string) => name.includes('/');

/** A word of numbers, days or sums. Each language has its own: that it lacks another's is no fault. */
export const isPiece = (name: string) => name.startsWith('spoken-');

export const takeOf = (prompt: Prompt, language: string | null) => prompt.takes.find((take) => (take.language ?? null) === language);

export function conditionOf(prompt: Prompt, language: string | null): Condition {
  const take = takeOf(prompt, language);
  if (take) return take.recorded ? 'recorded' : 'made';
  if (language === null) return 'no';
  if (isPiece(prompt.name)) return 'foreign';
  const heard = prompt.heard[language];
  return heard === 'same' ? 'same' : heard === 'default' ? 'default' : 'nothing';
}

export const isMissing = (prompt: Prompt, language: string) => ['default', 'nothing'].includes(conditionOf(prompt, language));

/** `French`, in the language of whoever reads it. */
export function languageName(language: string | null): string {
  if (language === null) return b('prompts.every');
  try {
    const name = new Intl.DisplayNames([lang.value], { type: 'language' }).of(language) ?? language;
    return name.charAt(0).toUpperCase() + name.slice(1);
  } catch {
    return language;
  }
}

export const told = (condition: Condition) =>
  b(`prompts.state.${condition}`, { language: languageName(prompts.value?.languages[0] ?? null) });

export const addressOf = ({ name, language }: Cell) => `/api/v1/prompts/sound?${new URLSearchParams({ name, ...(language ? { language } : {}) })}`;

export async function send({ name, language }: Cell, octets: ArrayBuffer | File) {
  await api.PUT('/prompts/sound', {
    params: { query: { name, ...(language ? { language } : {}) } },
    body: octets as never,
    bodySerializer: (body) => body as unknown as BodyInit,
    headers: { 'Content-Type': 'application/octet-stream' },
  });
  await readPrompts();
}

export async function unrecord({ name, language }: Cell) {
  await api.DELETE('/prompts/sound', { params: { query: { name, ...(language ? { language } : {}) } } });
  await readPrompts();
}

