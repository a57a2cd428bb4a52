// What is beyond a threshold now. Each supervisor has their own thresholds, kept in this browser.
import { computed, signal } from '@preact/signals';
import { share, span, word } from '../../i18n';
import { s, type StaffKey } from '../../i18n/staff';
import { agents, queues, serverNow } from '../../live/store';
import { Icon } from '../../ui/icons';
import { Card } from '../../ui/parts';

export interface Thresholds {
  wait_s: number;
  waiting: number;
  sl_percent: number;
  pause_min: number;
}

const KEPT = 'relais.thresholds';
const usual: Thresholds = { wait_s: 60, waiting: 10, sl_percent: 70, pause_min: 30 };

function kept(): Thresholds {
  try {
    const read: unknown = JSON.parse(localStorage.getItem(KEPT) ?? '{}');
    const given = Object.entries(read as object).filter(([name, value]) => name in usual && Number.isFinite(value));
    return { ...usual, ...Object.fromEntries(given) };
  } catch {
    return usual;
  }
}

export const thresholds = signal<Thresholds>(kept());

function set(name: keyof Thresholds, value: number) {
  if (!Number.isFinite(value) || value < 0) return;
  thresholds.value = { ...thresholds.value, [name]: value };
  localStorage.setItem(KEPT, JSON.stringify(thresholds.value));
}

export const longestMs = (since: string | null | undefined) => (since ? serverNow.value - Date.parse(since) : null);

interface Alert {
  key: string;
  text: string;
}

export const alerts = computed<Alert[]>(() => {
  const limits = thresholds.value;
  const found: Alert[] = [];
  for (const queue of queues.value.values()) {
    const longest = longestMs(queue.longest_waiting_since);
    if (longest != null && longest > limits.wait_s * 1000)
      found.push({ key: `w${queue.id}`, text: s('board.alert.wait', { queue: queue.id, time: span(longest) }) });
    if (queue.waiting > limits.waiting)
      found.push({ key: `n${queue.id}`, text: s('board.alert.waiting', { queue: queue.id, n: queue.waiting }) });
    if (queue.waiting > 0 && queue.agents_logged_in === 0)
      found.push({ key: `e${queue.id}`, text: s('board.alert.nobody', { queue: queue.id }) });
    const level = (queue.today as Record<string, number | null>).service_level;
    if (level != null && level * 100 < limits.sl_percent)
      found.push({ key: `s${queue.id}`, text: s('board.alert.sl', { queue: queue.id, share: share(level) }) });
  }
  for (const agent of agents.value.values()) {
    if (agent.state === 'not_responding') found.push({ key: `r${agent.id}`, text: s('board.alert.notResponding', { name: agent.name }) });
    const paused = serverNow.value - Date.parse(agent.since);
    if (agent.state === 'paused' && paused > limits.pause_min * 60_000)
      found.push({
        key: `p${agent.id}`,
        text: `${s('board.alert.paused', { name: agent.name, time: span(paused) })}${agent.reason ? ` (${word('reason', agent.reason)})` : ''}`,
      });
  }
  return found;
});

const fields: [keyof Thresholds, StaffKey][] = [
  ['wait_s', 'board.threshold.wait'],
  ['waiting', 'board.threshold.waiting'],
  ['sl_percent', 'board.threshold.sl'],
  ['pause_min', 'board.threshold.pause'],
];

export function Alerts() {
  return (
    <Card title={s('board.alerts')} class={alerts.value.length ? 'alerting' : ''}>
      <div role="status">
      <ul class="alerts">
        {alerts.value.slice(0, 12).map((alert) => (
          <li key={alert.key}>
            <Icon name="warn" />
            <bdi>{alert.text}</bdi>
          </li>
        ))}
        {alerts.value.length === 0 && <li class="quiet-text">{s('board.alerts.none')}</li>}
      </ul>
      </div>
      <details class="body">
        <summary>{s('board.thresholds')}</summary>
        <div class="thresholds">
          {fields.map(([name, key]) => (
            <label key={name}>
              {s(key)}
              <input type="number" min="0" value={thresholds.value[name]} onChange={(event) => set(name, event.currentTarget.valueAsNumber)} />
            </label>
          ))}
        </div>
      </details>
    </Card>
  );
}
