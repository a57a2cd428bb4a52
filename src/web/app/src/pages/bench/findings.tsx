// Findings as a list, each of which leads to its line.
import { useComputed } from '@preact/signals';
import { b } from '../../i18n/bench';
import type { Fault } from '../../ui/fault';
import { Icon } from '../../ui/icons';
import type { Asked } from './asked';
import { errors, fault, findings, settled } from './check';
import { chosen, type Finding, goTo, rows } from './state';

export function FindingList({ findings: all, onGo }: { findings: Finding[]; onGo?: () => void }) {
  return (
    <ul class="findings">
      {all.map((finding, at) => (
        <li key={at}>
          <OneFinding finding={finding} onGo={onGo} />
        </li>
      ))}
    </ul>
  );
}

function OneFinding({ finding, onGo }: { finding: Finding; onGo?: (() => void) | undefined }) {
  const known = rows.value.some((row) => row.file === finding.file);
  const inside = (
    <>
      <Icon name="warn" />
      <span>
        <span class="sr-only">{b(`finding.${finding.severity}`)}: </span>
        {finding.message}
        {finding.hint && <span class="quiet-text"> {finding.hint}</span>}
        <span class="where">{finding.file}:{finding.line}</span>
      </span>
    </>
  );
  if (!known) return <p class={`finding ${finding.severity}`}>{inside}</p>;
  return (
    <button type="button" class={`finding ${finding.severity}`} onClick={() => {
      onGo?.();
      void goTo(finding.file, finding.line, finding.column);
    }}>
      {inside}
    </button>
  );
}

/** Below the editor: what is found in this file, then elsewhere. */
export function Findings() {
  const sorted = useComputed(() => {
    const far = (finding: Finding) => Number(finding.file !== chosen.value) * 2 + Number(finding.severity !== 'error');
    return [...findings.value].sort((one, other) => far(one) - far(other));
  });
  const count = findings.value.length;
  return (
    <div class="found">
      <p class="small-text" role="status">
        {!settled.value && !fault.value && <span class="quiet-text">{b('findings.checking')}</span>}
        {fault.value && <span class="tone-alert">{fault.value}</span>}
        {settled.value && !fault.value && count === 0 && <span class="tone-good">✓ {b('findings.none')}</span>}
        {settled.value && !fault.value && count > 0 && (
          <span class={errors.value ? 'tone-alert' : 'tone-warn'}>{b('findings.some', { errors: errors.value, warnings: count - errors.value })}</span>
        )}
      </p>
      {count > 0 && <FindingList findings={sorted.value} />}
    </div>
  );
}

export function Refusal({ of, onGo }: { of: Fault | null; onGo?: () => void }) {
  if (!of) return null;
  return (
    <div class="refusal" role="alert">
      <p><Icon name="warn" />{of.findings.length > 0 ? b('refusal.findings') : of.message}</p>
      {of.findings.length > 0 && <FindingList findings={of.findings} {...(onGo ? { onGo } : {})} />}
    </div>
  );
}

/** What went wrong with a question, and whether its answer is of another text by now. */
export function About<T, A extends unknown[]>({ of }: { of: Asked<T, A> }) {
  return (
    <>
      <Refusal of={of.fault.value} />
      {of.old.value && of.said.value !== null && <p class="banner" role="status">{b('asked.old')}</p>}
    </>
  );
}
