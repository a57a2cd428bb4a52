// How the editor looks: by the same values as the rest of the page, so light and dark come by themselves.
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';

const underline = (color: string) => ({
  backgroundImage: 'none',
  textDecoration: `underline wavy var(--${color})`,
  textDecorationSkipInk: 'none',
  textUnderlineOffset: '0.2em',
});

/** Marks are drawn here: what the library brings are pictures in addresses, which the page's policy refuses. */
const mark = (color: string) => ({
  content: '""',
  display: 'block',
  width: '0.6em',
  height: '0.6em',
  margin: '0.45em auto 0',
  borderRadius: color === 'danger' ? '50%' : '0.1em',
  background: `var(--${color})`,
});

const look = EditorView.theme({
  '&': { height: '100%', color: 'var(--ink)', backgroundColor: 'var(--surface)', fontSize: 'var(--text-s)' },
  '&.cm-focused': { outline: 'none' },
  // Above the gutter, which would cover an outline.
  '&.cm-focused::after': { content: '""', position: 'absolute', inset: '0', zIndex: '250', border: '2px solid var(--focus)', pointerEvents: 'none' },
  '.cm-scroller': { fontFamily: 'ui-monospace, "Cascadia Mono", Menlo, "DejaVu Sans Mono", monospace', lineHeight: '1.55', overflow: 'auto' },
  '.cm-content': { caretColor: 'var(--ink)', padding: '0.5rem 0' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground, .cm-content ::selection': { backgroundColor: 'var(--accent-soft) !important' },
  '.cm-gutters': { backgroundColor: 'var(--surface)', color: 'var(--ink-2)', border: '0' },
  '.cm-activeLine': { backgroundColor: 'var(--sunken)' },
  '.cm-activeLineGutter': { backgroundColor: 'var(--sunken)', color: 'var(--ink)' },
  '.cm-gutter-lint': { width: '1.1em' },
  '.cm-lint-marker': { width: 'auto', height: 'auto' },
  '.cm-lint-marker-error': mark('danger'),
  '.cm-lint-marker-warning': mark('warn'),
  '.cm-lint-marker-info': mark('calm'),
  '.cm-lintRange-error': underline('danger'),
  '.cm-lintRange-warning': underline('warn'),
  '.cm-lintRange-info, .cm-lintRange-hint': underline('calm'),
  '.cm-lintRange-active': { backgroundColor: 'var(--warn-soft)' },
  '.cm-lintPoint:after': { borderBottomColor: 'var(--danger)' },
  '.cm-tooltip': { border: '1px solid var(--line)', borderRadius: 'var(--radius-s)', backgroundColor: 'var(--raised)', color: 'var(--ink)', boxShadow: 'var(--shadow-2)' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'inherit', maxHeight: '16em' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '0.15rem 0.5rem' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent-soft)', color: 'var(--accent-on-soft)' },
  '.cm-completionInfo': { padding: '0.4rem 0.6rem', maxWidth: '22rem', fontFamily: 'var(--font)' },
  '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '700' },
  '.cm-diagnostic': { padding: '0.4rem 0.6rem', fontFamily: 'var(--font)', whiteSpace: 'pre-wrap' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--danger)' },
  '.cm-diagnostic-warning': { borderLeftColor: 'var(--warn)' },
  '.cm-panels': { backgroundColor: 'var(--raised)', color: 'var(--ink)', borderColor: 'var(--line)' },
  '.cm-textfield': { color: 'var(--ink)', backgroundColor: 'var(--surface)', border: '1px solid var(--line-strong)', borderRadius: 'var(--radius-s)' },
  '.cm-button': { color: 'var(--ink)', background: 'var(--surface)', border: '1px solid var(--line-strong)', borderRadius: 'var(--radius-s)' },
  '.cm-panel.cm-search [name=close]': { color: 'var(--ink)' },
  '.cm-searchMatch': { backgroundColor: 'var(--warn-soft)', outline: '1px solid var(--warn)' },
  '.cm-searchMatch-selected': { backgroundColor: 'var(--accent-soft)' },
  '.cm-matchingBracket, &.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--accent-soft)' },
  '.cm-insertedLine, .cm-changedLine': { backgroundColor: 'var(--good-soft) !important' },
  '.cm-deletedChunk': { backgroundColor: 'var(--busy-soft) !important', color: 'var(--busy)' },
  '.cm-changedText, .cm-insertedLine .cm-changedText': { background: 'none !important', textDecoration: 'underline var(--good)', textUnderlineOffset: '0.2em' },
  '.cm-deletedChunk .cm-deletedText': { background: 'none !important', textDecoration: 'line-through var(--busy)' },
  '.cm-changedLineGutter': { background: 'var(--good)' },
  '.cm-deletedLineGutter': { background: 'var(--busy)' },
  '.cm-collapsedLines:before, .cm-collapsedLines:after': { content: '"⋯"' },
  '.cm-collapsedLines': { background: 'var(--sunken)', color: 'var(--ink-2)', padding: '0.2rem 0.75rem' },
});

const colours = HighlightStyle.define([
  { tag: tags.comment, color: 'var(--ink-2)', fontStyle: 'italic' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--good)' },
  { tag: [tags.number, tags.bool, tags.atom], color: 'var(--warn)' },
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--accent)' },
  { tag: [tags.keyword, tags.heading, tags.bracket, tags.squareBracket], color: 'var(--calm)', fontWeight: '600' },
]);

export const appearance = [look, syntaxHighlighting(colours)];
