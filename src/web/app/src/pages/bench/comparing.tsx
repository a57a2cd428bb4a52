// What the drafts change for callers: in words, by sample calls, and in the texts.
import { useEffect } from 'preact/hooks';
import { api, ok, type Schemas } from '../../api/client';
import { count } from '../../i18n';
import { b } from '../../i18n/bench';
import { Icon } from '../../ui/icons';
import { asked } from './asked';
import { About } from './findings';
import { changes } from './state';
import { FileTexts } from './texts';

type Compared = Schemas['Compared'];

const compared = asked(async () => ok(api.POST('/plans/diff', { body: { changes: changes() } })));

export function DiffTab() {
  useEffect(() => {
    if (compared.said.value === null || compared.old.value) void compared.ask();
  }, []);
  return (
    <div class="tab-body">
      <p class="row">
        <button type="button" class="button main" aria-busy={compared.busy.value} onClick={() => void compared.ask()}>
          <Icon name="swap" />{b('diff.ask')}
        </button>
      </p>
      <About of={compared} />
      {compared.said.value && <Differences of={compared.said.value} />}
    </div>
  );
}

function Differences({ of }: { of: Compared }) {
  if (of.same) return <p class="verdict passed">{b('diff.same')}</p>;
  return (
    <>
      {of.changes.length > 0 && (
        <>
          <h3>{b('diff.words')}</h3>
          <ul class="said-changes">
            {of.changes.map((change, at) => (
              <li key={at}><strong>{change.subject}</strong> {change.text}</li>
            ))}
          </ul>
        </>
      )}
      <h3>{b('diff.calls')}</h3>
      <p>{b('diff.tried', { different: count(of.calls.different), tried: count(of.calls.tried) })}</p>
      <ul class="samples">
        {of.calls.differences.map((one, at) => (
          <li key={at}>
            <p><strong>{one.to}</strong> <span class="quiet-text">{b('diff.n', { n: count(one.calls) })}</span></p>
            <p><s>{one.before}</s> → <ins>{one.after}</ins></p>
            <p class="small-text quiet-text">{one.example}</p>
          </li>
        ))}
      </ul>
      {of.calls.not_listed > 0 && <p class="quiet-text">{b('diff.notListed', { n: count(of.calls.not_listed) })}</p>}
      {of.files.length > 0 && <h3>{b('diff.texts')}</h3>}
      {of.files.map((file) => <FileTexts key={file.file} file={file.file} before={file.running} after={file.draft} />)}
    </>
  );
}
