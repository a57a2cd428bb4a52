// A text beside the one before it: what is gone struck out, what is new underlined, the rest folded.
import { StreamLanguage } from '@codemirror/language';
import { toml } from '@codemirror/legacy-modes/mode/toml';
import { unifiedMergeView } from '@codemirror/merge';
import { EditorState } from '@codemirror/state';
import { EditorView, lineNumbers } from '@codemirror/view';
import { useEffect, useRef } from 'preact/hooks';
import { lang } from '../../i18n';
import { b } from '../../i18n/bench';
import { phrases } from './phrases';
import { appearance } from './theme';

interface Texts {
  file: string;
  before: string | null | undefined;
  after: string | null | undefined;
}

export function FileTexts({ file, before, after }: Texts) {
  const host = useRef<HTMLDivElement>(null);
  const language = lang.value;
  useEffect(() => {
    const root = host.current?.shadowRoot ?? host.current?.attachShadow({ mode: 'open' });
    if (!root) return;
    const view = new EditorView({
      parent: root,
      root,
      doc: after ?? '',
      extensions: [
        lineNumbers(),
        EditorView.lineWrapping,
        StreamLanguage.define(toml),
        EditorState.readOnly.of(true),
        EditorView.editable.of(false),
        EditorState.phrases.of(phrases()),
        EditorView.contentAttributes.of({ tabindex: '0', 'aria-label': b('diff.text', { file }) }),
        unifiedMergeView({ original: before ?? '', mergeControls: false, collapseUnchanged: { margin: 2, minSize: 4 } }),
        appearance,
      ],
    });
    return () => view.destroy();
  }, [file, before, after, language]);
  return (
    <section class="texts" aria-label={file}>
      <h3>
        {file}
        {before == null && <span class="chip new">{b('diff.new')}</span>}
        {after == null && <span class="chip gone">{b('diff.gone')}</span>}
      </h3>
      <div class="text" ref={host} />
    </section>
  );
}
