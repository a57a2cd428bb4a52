// What is found in the drafts, while one types.
import { computed, effect, signal } from '@preact/signals';
import { api, ok, Refused } from '../../api/client';
import { t } from '../../i18n';
import { changes, chosen, type Drafts, drafts, type Finding, list } from './state';

const AFTER_MS = 400;
const AGAIN_MS = 1_500;

interface Found {
  of: Drafts;
  findings: Finding[];
}

const found = signal<Found | null>(null);
/** Why nothing can be said just now. */
export const fault = signal('');

export const findings = computed<Finding[]>(
  () => found.value?.findings ?? list.value?.files.flatMap((view) => view.findings).concat(list.value.findings) ?? [],
);
/** Whether the findings are those of what stands in the editor. */
export const settled = computed(() => found.value?.of === drafts.value);
export const errors = computed(() => findings.value.filter((finding) => finding.severity === 'error').length);
export const here = computed(() => findings.value.filter((finding) => finding.file === chosen.value));

export const countOf = (file: string, severity: Finding['severity']) =>
  findings.value.filter((finding) => finding.file === file && finding.severity === severity).length;

/** Checks from now on, until the function that it gives is called. */
export function watch(): () => void {
  let timer = 0;
  let asked = new AbortController();
  const ask = async (of: Drafts) => {
    asked = new AbortController();
    const mine = asked;
    try {
      const said = await ok(api.POST('/plans/check', { body: { changes: changes() }, signal: mine.signal }));
      if (mine.signal.aborted) return;
      fault.value = '';
      found.value = { of, findings: said.findings };
    } catch (error) {
      if (mine.signal.aborted) return;
      fault.value = error instanceof Refused ? error.message : t('error.unreachable');
      if (!(error instanceof Refused) || [429, 503].includes(error.status)) timer = window.setTimeout(() => void ask(of), AGAIN_MS);
    }
  };
  const stop = effect(() => {
    const of = drafts.value;
    if (!list.value) return;
    window.clearTimeout(timer);
    asked.abort();
    timer = window.setTimeout(() => void ask(of), AFTER_MS);
  });
  return () => {
    stop();
    window.clearTimeout(timer);
    asked.abort();
  };
}
