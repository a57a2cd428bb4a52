// The words of the pages in the language of whoever reads them, and figures as that language writes them.
import { computed, signal } from '@preact/signals';
import { en, type Key } from './en';
import { fr } from './fr';

export type { Key } from './en';
export type Lang = 'en' | 'fr';

const words: Record<Lang, Record<Key, string>> = { en, fr };
const KEPT = 'relais.language';

const first = (): Lang => {
  const kept = localStorage.getItem(KEPT);
  if (kept === 'en' || kept === 'fr') return kept;
  return navigator.language.startsWith('fr') ? 'fr' : 'en';
};

export const lang = signal<Lang>(first());

export function setLang(to: Lang) {
  lang.value = to;
  localStorage.setItem(KEPT, to);
}

/** The language of the account, unless one was chosen on this machine. */
export function suggestLang(to: string | null | undefined) {
  if (localStorage.getItem(KEPT)) return;
  if (to === 'en' || to === 'fr') lang.value = to;
}

export function t(key: Key, values: Record<string, string | number> = {}): string {
  const text = words[lang.value][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));
}

/** The translation where there is one, else the word itself: reasons and codes are the operator's. */
export function word(prefix: string, name: string): string {
  const key = `${prefix}.${name}` as Key;
  return key in en ? t(key) : name;
}

/** Where the centre is: its clock is meant, whoever looks from where. */
export const zone = signal<string | undefined>(undefined);

/** The language as this machine's owner writes it; of English there are many. */
const locale = computed(() => {
  const own = navigator.languages.find((one) => one.startsWith(lang.value));
  return own && own !== 'en' ? own : lang.value === 'en' ? 'en-GB' : lang.value;
});
const number = computed(() => new Intl.NumberFormat(locale.value));
const percent = computed(() => new Intl.NumberFormat(locale.value, { style: 'percent', maximumFractionDigits: 0 }));
const hour = { hour: '2-digit', minute: '2-digit' } as const;
const clock = computed(() => new Intl.DateTimeFormat(locale.value, { ...hour, timeZone: zone.value }));
const day = computed(() => new Intl.DateTimeFormat(locale.value, { day: 'numeric', month: 'short', ...hour, timeZone: zone.value }));

export type Figure = number | null | undefined;

export const count = (value: Figure) => (value == null ? t('unit.none') : number.value.format(value));
export const share = (value: Figure) => (value == null ? t('unit.none') : percent.value.format(value));
export const time = (at: string) => clock.value.format(new Date(at));
export const dateTime = (at: string) => day.value.format(new Date(at));

/** `0:07`, `12:34`, `1:02:03`. */
export function span(ms: Figure): string {
  if (ms == null) return t('unit.none');
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (n: number) => String(n).padStart(2, '0');
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
