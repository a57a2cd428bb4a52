// Where in a TOML text the cursor stands: in which table, under which key, before a key or a value.

export interface Place {
  /** The keys that lead here, as `level`, `rule`, `in`. */
  path: string[];
  at: 'key' | 'value' | 'header';
  /** Where what is being typed begins. */
  from: number;
  /** Within quotes: the cursor is in a text. */
  quoted: boolean;
  /** The texts of the table, for forms that depend on one another. */
  beside: Record<string, string>;
}

interface Frame {
  kind: 'table' | 'array' | 'inline';
  key: string;
  /** Before `=`, or behind it. */
  at: 'key' | 'value';
}

const HEADER = /^[ \t]*\[\[?([^[\]"'#]*)\]\]?[ \t]*(?:#.*)?$/;
const TEXT = /^[ \t]*([\w-]+)[ \t]*=[ \t]*"([^"\\]*)"/gm;

/** The header that governs a position, with where its table begins and ends. */
function table(text: string, pos: number): { path: string[]; begin: number; end: number } {
  let at = 0;
  let found = { path: [] as string[], begin: 0, end: text.length };
  for (const line of text.split('\n')) {
    const header = HEADER.exec(line);
    const next = at + line.length + 1;
    if (header && at > pos) return { ...found, end: at };
    if (header && next <= pos) found = { path: (header[1] ?? '').split('.').map((key) => key.trim()), begin: next, end: text.length };
    at = next;
  }
  return found;
}

function texts(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(TEXT)].map((one) => [one[1] ?? '', one[2] ?? '']));
}

/** Null where nothing can be said: in a comment. */
export function place(text: string, pos: number): Place | null {
  const lineStart = text.lastIndexOf('\n', pos - 1) + 1;
  const header = /^[ \t]*\[\[?[\w.-]*$/.exec(text.slice(lineStart, pos));
  const { path, begin, end } = table(text, lineStart);
  const scan = new Scan(text, begin);
  scan.until(header ? lineStart : pos);
  // A bracket at the beginning of a line opens a table, unless it stands in a list.
  if (header && scan.frames.length === 1 && scan.top.at === 'key') {
    return { path: [], at: 'header', from: lineStart + header[0].indexOf('['), quoted: false, beside: {} };
  }
  if (header) scan.until(pos);
  if (scan.comment) return null;
  const keys = scan.frames.filter((frame) => frame.at === 'value' && frame.kind !== 'array').map((frame) => frame.key);
  const where = [...path, ...keys.flatMap((key) => key.split('.'))].filter((key) => key !== '');
  const at = scan.top.kind === 'array' ? 'value' : scan.top.at;
  return { path: where, at, from: scan.word, quoted: scan.quote !== '', beside: texts(text.slice(begin, end)) };
}

/** Reads a table's lines up to a position. */
class Scan {
  frames: Frame[] = [{ kind: 'table', key: '', at: 'key' }];
  quote = '';
  comment = false;
  /** Where the word that is being read begins. */
  word: number;

  constructor(
    private readonly text: string,
    private pos: number,
  ) {
    this.word = pos;
  }

  get top(): Frame {
    return this.frames[this.frames.length - 1] as Frame;
  }

  until(pos: number) {
    while (this.pos < pos) {
      const c = this.text[this.pos] ?? '';
      if (this.comment) this.comment = c !== '\n';
      else if (this.quote) this.inText(c);
      else this.outside(c);
      if (c === '\n' && !this.quote && this.frames.length === 1) this.fresh('key');
      this.pos += 1;
    }
  }

  private inText(c: string) {
    if (c === '\\' && this.quote.startsWith('"')) this.pos += 1;
    else if (this.text.startsWith(this.quote, this.pos)) {
      this.pos += this.quote.length - 1;
      this.quote = '';
    } else if (c === '\n' && this.quote.length === 1) {
      // A text that was not closed: the rest of the file is no text for that.
      this.quote = '';
    }
  }

  private outside(c: string) {
    const top = this.top;
    if (c === '#') this.comment = true;
    else if (c === '"' || c === "'") this.open(c);
    else if (c === '=') this.fresh('value');
    else if (c === ',' && top.kind !== 'table') this.fresh(top.kind === 'array' ? 'value' : 'key');
    else if (c === '{') this.push('inline', 'key');
    else if (c === '[') this.push('array', 'value');
    else if (c === '}' || c === ']') this.pop();
    else if (/\s/.test(c)) this.word = this.pos + 1;
    else if (top.at === 'key' && top.kind !== 'array') top.key = this.text.slice(this.word, this.pos + 1);
  }

  private open(c: string) {
    this.quote = this.text.startsWith(c.repeat(3), this.pos) ? c.repeat(3) : c;
    this.pos += this.quote.length - 1;
    this.word = this.pos + 1;
  }

  private fresh(at: 'key' | 'value') {
    this.top.at = at;
    if (at === 'key') this.top.key = '';
    this.word = this.pos + 1;
  }

  private push(kind: Frame['kind'], at: Frame['at']) {
    this.frames.push({ kind, key: '', at });
    this.word = this.pos + 1;
  }

  private pop() {
    if (this.frames.length > 1) this.frames.pop();
    this.word = this.pos + 1;
  }
}
