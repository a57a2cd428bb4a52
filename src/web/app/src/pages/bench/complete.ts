// Completion of keys, values and tables by the schema of the file.
import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { api, ok } from '../../api/client';
import { headersOf, keysAt, type Node, type Option, valuesAt } from './schema';
import { chosen, kindOf, type Kind } from './state';
import { type Place, place } from './toml';

const schemas = new Map<Kind, Promise<Node>>();

/** Asked for once: names that come with a later activation come with the next visit. */
function schemaOf(kind: Kind): Promise<Node> {
  const known = schemas.get(kind) ?? ok(api.GET('/plans/schema', { params: { query: { kind } } })).then((schema) => schema as Node);
  schemas.set(kind, known);
  known.catch(() => schemas.delete(kind));
  return known;
}

export const forgetSchemas = () => schemas.clear();

const levelsOf = (text: string) => [...text.matchAll(/^\[\[level\]\]\s*\nname\s*=\s*"([^"]*)"/gm)].map((one) => one[1] ?? '');

const AROUND: Record<Option['form'], [string, string]> = { text: ['"', '"'], list: ['[', ']'], table: ['{ ', ' }'], other: ['', ''] };

/** Writes the key with what its value stands in, and puts the cursor between. */
function keyed({ name, info, form }: Option): Completion {
  const [before, after] = AROUND[form];
  return {
    label: name,
    type: 'property',
    ...(info ? { info } : {}),
    apply: (view, _, from, to) => {
      const behind = /^\s*=/.test(view.state.sliceDoc(to, view.state.doc.lineAt(to).to));
      const insert = behind ? name : `${name} = ${before}${after}`;
      view.dispatch({ changes: { from, to, insert }, selection: { anchor: from + insert.length - (behind ? 0 : after.length) }, userEvent: 'input.complete' });
    },
  };
}

/** Writes a value, in quotes where it is a text; those that stand already are not written twice. */
function valued(value: string, text: boolean, info: string, quoted: boolean): Completion {
  return {
    label: value,
    type: text ? 'text' : 'constant',
    ...(info ? { info } : {}),
    apply: (view, _, from, to) => {
      const closed = view.state.sliceDoc(to, to + 1) === '"';
      const insert = !text ? value : quoted ? `${value}${closed ? '' : '"'}` : `"${value}"`;
      const anchor = from + insert.length + (quoted && closed ? 1 : 0);
      view.dispatch({ changes: { from, to, insert }, selection: { anchor }, userEvent: 'input.complete' });
    },
  };
}

function options(schema: Node, where: Place, text: string): Completion[] {
  switch (where.at) {
    case 'header':
      return headersOf(schema).map(({ path, list }) => ({ label: list ? `[[${path}]]` : `[${path}]`, type: 'class' }));
    case 'key':
      return keysAt(schema, where.path, where.beside).map(keyed);
    case 'value': {
      const found = valuesAt(schema, where.path, where.beside).map((one) => valued(one.value, one.text, one.info, where.quoted));
      const level = where.path.join('.') === 'level.rule.in.level';
      return level ? levelsOf(text).map((name) => valued(name, true, '', where.quoted)) : found;
    }
  }
}

export async function complete(context: CompletionContext): Promise<CompletionResult | null> {
  const file = chosen.value;
  const text = context.state.doc.toString();
  const where = place(text, context.pos);
  if (!file || !where) return null;
  const typed = text.slice(where.from, context.pos);
  if (!context.explicit && typed === '' && !where.quoted) return null;
  const schema = await schemaOf(kindOf(file)).catch(() => null);
  const found = schema && options(schema, where, text);
  return found?.length ? { from: where.from, options: found, validFor: /^[\w\[\].:-]*$/ } : null;
}
