// What may stand at a place of a file, as its JSON schema says.

export interface Node {
  $ref?: string;
  type?: string | string[];
  description?: string;
  properties?: Record<string, Node>;
  additionalProperties?: Node | boolean;
  items?: Node;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Node[];
  oneOf?: Node[];
  allOf?: Node[];
  if?: Node;
  then?: Node;
  definitions?: Record<string, Node>;
}

export interface Option {
  name: string;
  /** What it is for. */
  info: string;
  /** What kind of value stands there, so that its brackets are written too. */
  form: 'text' | 'list' | 'table' | 'other';
}

const DEEPEST = 12;

/** A form with all that it refers to, in one row. */
function spread(root: Node, node: Node | undefined, beside: Record<string, string>, depth = 0): Node[] {
  if (!node || depth > DEEPEST) return [];
  const further = [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])];
  if (node.$ref) further.push(root.definitions?.[node.$ref.split('/').pop() ?? ''] ?? {});
  if (node.if && node.then && holds(node.if, beside)) further.push(node.then);
  return [node, ...further.flatMap((one) => spread(root, one, beside, depth + 1))];
}

/** Whether the fields beside are those that a condition names. */
function holds(condition: Node, beside: Record<string, string>): boolean {
  return Object.entries(condition.properties ?? {}).every(([name, wanted]) => wanted.const === undefined || beside[name] === wanted.const);
}

/** The forms of what stands at `path`; lists are looked into. */
export function formsAt(root: Node, path: string[], beside: Record<string, string>): Node[] {
  let forms = spread(root, root, beside);
  for (const key of path) {
    const inner = forms.flatMap((form) => {
      const own = form.properties?.[key];
      if (own) return [own];
      return typeof form.additionalProperties === 'object' ? [form.additionalProperties] : [];
    });
    forms = inner.flatMap((form) => spread(root, form, beside));
    forms = forms.flatMap((form) => [form, ...spread(root, form.items, beside)]);
  }
  return forms;
}

function formOf(root: Node, node: Node, beside: Record<string, string>): Option['form'] {
  const types = new Set(spread(root, node, beside).flatMap((one) => (one.enum ? 'string' : (one.type ?? []))));
  if (types.has('string')) return 'text';
  // A number may be computed too, by a table; that is the rarer thing.
  if (['integer', 'number', 'boolean'].some((scalar) => types.has(scalar))) return 'other';
  if (types.has('array')) return 'list';
  return types.has('object') ? 'table' : 'other';
}

export function keysAt(root: Node, path: string[], beside: Record<string, string>): Option[] {
  const found = new Map<string, Option>();
  for (const form of formsAt(root, path, beside)) {
    for (const [name, node] of Object.entries(form.properties ?? {})) {
      const info = spread(root, node, beside).find((one) => one.description)?.description ?? '';
      const before = found.get(name);
      // What a module says of `in` and `out` is more than what every rule says of them.
      if (!before || (!before.info && info)) found.set(name, { name, info, form: formOf(root, node, beside) });
    }
  }
  return [...found.values()];
}

export function valuesAt(root: Node, path: string[], beside: Record<string, string>): { value: string; text: boolean; info: string }[] {
  const found = new Map<string, { value: string; text: boolean; info: string }>();
  for (const form of formsAt(root, path, beside)) {
    const values = form.type === 'boolean' ? [true, false] : (form.enum ?? (form.const === undefined ? [] : [form.const]));
    for (const value of values) found.set(String(value), { value: String(value), text: typeof value === 'string', info: form.description ?? '' });
  }
  return [...found.values()];
}

/** The tables that may be opened, as `level` and `level.rule`. */
export function headersOf(root: Node): { path: string; list: boolean }[] {
  const found: { path: string; list: boolean }[] = [];
  const walk = (path: string[]) => {
    for (const { name } of keysAt(root, path, {})) {
      const inner = [...path, name];
      const own = formsAt(root, path, {}).flatMap((form) => spread(root, form.properties?.[name], {}));
      const list = own.some((form) => form.type === 'array' && spread(root, form.items, {}).some((item) => item.type === 'object' && item.properties));
      const table = own.some((form) => form.type === 'object');
      if (!list && !table) continue;
      found.push({ path: inner.join('.'), list });
      if (list && inner.length < 3) walk(inner);
    }
  };
  walk([]);
  return found;
}
