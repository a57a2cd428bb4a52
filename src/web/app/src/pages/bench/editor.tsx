// The text of a file, with completion and with what is found in it.
import { autocompletion, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { StreamLanguage } from '@codemirror/language';
import { toml } from '@codemirror/legacy-modes/mode/toml';
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint';
import { search, searchKeymap } from '@codemirror/search';
import { Compartment, EditorState } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view';
import { untracked, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { b } from '../../i18n/bench';
import { here } from './check';
import { complete } from './complete';
import { phrases } from './phrases';
import { chosen, cursorLine, type Finding, goal, revision, textOf, write } from './state';
import { appearance } from './theme';

const language = StreamLanguage.define(toml);
/** States by file: what can be undone is undone when somebody comes back to a file. */
const states = new Map<string, EditorState>();
const words = new Compartment();

const named = (file: string) => [EditorView.contentAttributes.of({ 'aria-label': b('editor.label', { file }), tabindex: '0' }), EditorState.phrases.of(phrases())];

function stateFor(file: string): EditorState {
  const text = textOf(file);
  const known = states.get(file);
  if (known && known.doc.toString() === text) return known;
  return EditorState.create({
    doc: text,
    extensions: [
      lineNumbers(),
      lintGutter(),
      highlightActiveLineGutter(),
      highlightActiveLine(),
      history(),
      drawSelection(),
      EditorView.lineWrapping,
      search({ top: true }),
      autocompletion({ override: [complete], icons: false }),
      language,
      // Tab leaves the editor, as it leaves every field.
      keymap.of([...completionKeymap, ...lintKeymap, ...searchKeymap, ...historyKeymap, ...defaultKeymap]),
      words.of(named(file)),
      EditorView.updateListener.of((update) => {
        const line = update.state.doc.lineAt(update.state.selection.main.head).number;
        if (line !== cursorLine.peek()) cursorLine.value = line;
        if (update.docChanged) write(file, update.state.doc.toString());
      }),
      appearance,
    ],
  });
}

const place = (state: EditorState, line: number, column: number) => {
  const at = state.doc.line(Math.min(Math.max(1, line), state.doc.lines));
  return { from: Math.min(at.from + Math.max(0, column - 1), at.to), to: at.to };
};

/** A finding names where it begins; what is underlined goes on to the end of the line. */
function diagnostic(state: EditorState, finding: Finding): Diagnostic {
  const { from, to } = place(state, finding.line, finding.column);
  const message = finding.hint ? `${finding.message}\n${finding.hint}` : finding.message;
  return { from, to, severity: finding.severity, message };
}

export default function Editor() {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const shown = useRef<string | null>(null);

  useEffect(() => {
    // In a shadow tree its styles come as sheets, which the page's policy lets pass.
    const root = host.current?.attachShadow({ mode: 'open' });
    if (!root) return;
    view.current = new EditorView({ parent: root, root });
    return () => {
      if (view.current && shown.current) states.set(shown.current, view.current.state);
      view.current?.destroy();
    };
  }, []);

  useSignalEffect(() => {
    const file = chosen.value;
    const found = here.value;
    void revision.value;
    const editor = view.current;
    if (!editor || !file) return;
    const labels = named(file);
    if (shown.current) states.set(shown.current, editor.state);
    // What is typed changes the drafts: that alone shows nothing anew.
    const next = untracked(() => stateFor(file));
    if (next !== editor.state) editor.setState(next);
    shown.current = file;
    editor.dispatch({ effects: words.reconfigure(labels) });
    editor.dispatch(setDiagnostics(editor.state, found.map((finding) => diagnostic(editor.state, finding))));
  });

  useSignalEffect(() => {
    const to = goal.value;
    const editor = view.current;
    if (!editor || !to || to.file !== shown.current) return;
    goal.value = null;
    const { from } = place(editor.state, to.line, to.column);
    editor.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: 'center' }) });
    editor.focus();
  });

  return <div class="editor" ref={host} />;
}
