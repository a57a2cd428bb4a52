// The operator's bench: plans and bots are looked at, changed, tried and put into use.
import '../../styles/board.css';
import '../../styles/operator.css';
import '../../styles/bench.css';
import '../../styles/picture.css';
import { signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { b } from '../../i18n/bench';
import { t } from '../../i18n';
import { act } from '../../ui/act';
import { Button } from '../../ui/parts';
import { ActivateDialog } from './activate';
import { errors, settled, watch } from './check';
import { DiffTab } from './comparing';
import Editor from './editor';
import { Files } from './files';
import { Findings } from './findings';
import { HistoryTab } from './history';
import { PictureTab } from './picture';
import { begin, chosen, discard, drafts, list, remove } from './state';
import { Tabs } from './tabs';
import { TestsTab } from './testing';
import { TraceTab } from './tracing';

const TABS = ['picture', 'trace', 'tests', 'diff', 'history'] as const;
type Tab = (typeof TABS)[number];
const tab = signal<Tab>('picture');

export default function Bench() {
  useEffect(() => {
    void act(begin);
    return watch();
  }, []);
  if (!list.value) return <p class="centered">{t('app.loading')}</p>;
  return (
    <div class="bench">
      <h1 class="sr-only">{t('nav.bench')}</h1>
      <Files />
      <Text />
      <section class="card side" aria-label={b('side.title')}>
        <Tabs label={b('side.title')} tabs={TABS.map((one) => [one, b(`tab.${one}`)] as const)} at={tab.value} onChoose={(to) => {
          tab.value = to;
        }}>
          {tab.value === 'picture' && <PictureTab />}
          {tab.value === 'trace' && <TraceTab />}
          {tab.value === 'tests' && <TestsTab />}
          {tab.value === 'diff' && <DiffTab />}
          {tab.value === 'history' && <HistoryTab />}
        </Tabs>
      </section>
    </div>
  );
}

function Text() {
  const activating = useSignal(false);
  const file = chosen.value;
  const draft = file ? drafts.value.get(file) : undefined;
  const many = drafts.value.size;
  return (
    <section class="card text" aria-label={b('editor.title')}>
      <header>
        <h2><bdi>{file ?? b('editor.none')}</bdi></h2>
        <span class="row">
          {draft && file && <Button small onDo={() => discard([file])}>{b('editor.discard')}</Button>}
          {file && draft?.text !== null && <Button small kind="quiet" icon="close" label={b('editor.remove', { file })} onDo={() => remove(file)} />}
        </span>
      </header>
      {draft?.text === null && <p class="banner" role="status">{b('editor.gone')}</p>}
      <Editor />
      <Findings />
      <footer>
        <span class="quiet-text small-text">{many === 0 ? b('drafts.none') : b('drafts.some', { n: many })}</span>
        <span class="row">
          {many > 1 && <Button small onDo={() => discard([...drafts.value.keys()])}>{b('drafts.discard')}</Button>}
          <Button kind="main" disabled={many === 0} onDo={() => {
            activating.value = true;
          }}>{settled.value && errors.value > 0 ? b('activate.open.wrong') : b('activate.open')}</Button>
        </span>
      </footer>
      {activating.value && <ActivateDialog onClose={() => {
        activating.value = false;
      }} />}
    </section>
  );
}
