// Why a caller is where they are: each level of the matrix, what its conditions saw, what came of it.
import { signal } from '@preact/signals';
import { api, type CallTrace, ok, type Schemas } from '../../api/client';
import { dateTime, t } from '../../i18n';
import { s } from '../../i18n/staff';
import { agents } from '../../live/store';
import { Dialog } from '../../ui/parts';

const shown = signal<CallTrace | null>(null);

export async function showTrace(id: string) {
  shown.value = await ok(api.GET('/calls/{id}/trace', { params: { path: { id } } }));
}

const told = (values: Record<string, unknown>) =>
  Object.entries(values)
    .map(([name, value]) => `${name} = ${JSON.stringify(value)}`)
    .join(', ');

export function TraceDialog() {
  const call = shown.value;
  if (!call) return null;
  return (
    <Dialog wide title={s('trace.title', { from: call.from || t('desk.withheld') })} onClose={() => {
      shown.value = null;
    }}>
      <div class="body trace">
        <h3>{s('trace.levels')}</h3>
        <Levels levels={call.trace.levels} />
        {(call.trace.decisions?.length ?? 0) > 0 && <h3>{s('trace.decisions')}</h3>}
        <ol>
          {call.trace.decisions?.map((decision, at) => (
            <li key={at}>
              <strong>{agents.value.get(decision.agent)?.name ?? decision.agent}</strong>
              <span class="quiet-text"> {decision.queue} · {decision.rule.replaceAll('_', ' ')} · {dateTime(decision.at)}</span>
            </li>
          ))}
        </ol>
      </div>
    </Dialog>
  );
}

/** The levels that a call came to, with the rules that were looked at. */
export function Levels({ levels }: { levels: Schemas['LevelTrace'][] }) {
  return (
    <ol>
      {levels.map((level, at) => (
        <li key={at}>
          <p>
            <strong>{level.plan} · {level.level}</strong>
            <span class="quiet-text small-text"> {dateTime(level.at)}</span>
          </p>
          {level.rules.map((rule) => (
            <p key={rule.rule} class={rule.rule === level.taken ? 'taken' : 'quiet-text'}>
              <span class="small-text">{s('trace.taken', { n: rule.rule })}</span> {rule.module}
              {rule.when && <code>{rule.when}</code>}
              {rule.values && Object.keys(rule.values).length > 0 && (
                <small> {s('trace.values')} {told(rule.values)}</small>
              )}
            </p>
          ))}
          {level.inputs && Object.keys(level.inputs).length > 0 && <p class="quiet-text small-text">{told(level.inputs)}</p>}
          {level.taken == null && <p class="quiet-text">{s('trace.none')}</p>}
          {level.result && (
            <p>
              → {level.result}
              {level.outputs && Object.keys(level.outputs).length > 0 && <small class="quiet-text"> {told(level.outputs)}</small>}
            </p>
          )}
        </li>
      ))}
    </ol>
  );
}
