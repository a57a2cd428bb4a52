// What prompts say, by language: read when somebody first wants to read what a caller heard.
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { api, ok } from '../api/client';

type Words = Record<string, string>;

const known = signal<ReadonlyMap<string, Words>>(new Map());
const asked = new Set<string>();

async function read(language: string) {
  if (asked.has(language)) return;
  asked.add(language);
  try {
    const { words } = await ok(api.GET('/prompts/words', { params: { query: { language } } }));
    known.value = new Map(known.value).set(language, words);
  } catch {
    asked.delete(language);
  }
}

/** The words of a language, empty until they are there. */
export function useWords(language: string): Words {
  useEffect(() => void read(language), [language]);
  return known.value.get(language) ?? {};
}
