// The words of the supervisors' pages, which agents do not fetch.
import { lang } from './index';
import { staffEn } from './staff.en';
import { staffFr } from './staff.fr';

export type StaffKey = keyof typeof staffEn;
const words = { en: staffEn as Record<StaffKey, string>, fr: staffFr };

export function s(key: StaffKey, values: Record<string, string | number> = {}): string {
  return words[lang.value][key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));
}
