// The words of the operators' and administrators' pages, fetched with them.
import { lang } from './index';
import { benchEn } from './bench.en';
import { benchFr } from './bench.fr';

export type BenchKey = keyof typeof benchEn;
const words = { en: benchEn as Record<BenchKey, string>, fr: benchFr };

export function b(key: BenchKey, values: Record<string, string | number> = {}): string {
  return words[lang.value][key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));
}
