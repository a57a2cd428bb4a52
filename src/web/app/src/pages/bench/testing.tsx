// Runs the tests that stand in the files, with the drafts in their place.
import { useSignal } from '@preact/signals';
import { api, ok, type Schemas } from '../../api/client';
import { b } from '../../i18n/bench';
import { Icon } from '../../ui/icons';
import { asked } from './asked';
import { About } from './findings';
import { changes, chosen, goTo } from './state';

type Verdict = Schemas['TestVerdict'];

const run = asked(async () => ok(api.POST('/plans/tests', { body: { changes: changes() } })));

export function TestsTab() {
  const mine = useSignal(false);
  const all = run.said.value?.tests ?? [];
  const shown = mine.value ? all.filter((test) => test.file === chosen.value) : all;
  const failed = shown.filter((test) => !test.ok);
  return (
    <div class="tab-body">
      <p class="row">
        <button type="button" class="button main" aria-busy={run.busy.value} onClick={() => void run.ask()}>
          <Icon name="play" />{b('tests.run')}
        </button>
        <label class="inline">
          <input type="checkbox" checked={mine.value} onChange={(event) => {
            mine.value = event.currentTarget.checked;
          }} />
          {b('tests.mine')}
        </label>
      </p>
      {run.busy.value && <p class="quiet-text" role="status">{b('tests.running')}</p>}
      <About of={run} />
      {run.said.value && (
        <>
          <p class={`verdict ${failed.length ? 'failed' : 'passed'}`} role="status">
            {shown.length === 0 ? b('tests.none') : b('tests.sum', { passed: shown.length - failed.length, all: shown.length })}
          </p>
          <ul class="tests">
            {[...failed, ...shown.filter((test) => test.ok)].map((test) => <Test key={`${test.file} ${test.line}`} test={test} />)}
          </ul>
        </>
      )}
    </div>
  );
}

function Test({ test }: { test: Verdict }) {
  return (
    <li class={test.ok ? 'passed' : 'failed'}>
      <button type="button" class="link" onClick={() => void goTo(test.file, test.line)}>
        <span class="sr-only">{b(test.ok ? 'tests.passed' : 'tests.failed')}: </span>
        {test.name}
      </button>
      <span class="where">{test.plan}</span>
      {test.misses.map((miss, at) => (
        <p key={at} class="miss">
          {b('tests.miss', { what: miss.what })} <code>{miss.expected}</code> {b('tests.got')} <code>{miss.got}</code>
        </p>
      ))}
    </li>
  );
}
