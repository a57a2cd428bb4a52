// The files of plans and bots: what stands on the disk, and the drafts of whoever sits at this bench.
import { batch, computed, signal } from '@preact/signals';
import { api, ok, type Schemas } from '../../api/client';
import { me } from '../../live/store';

export type Kind = Schemas['FileKind'];
export type Finding = Schemas['Finding'];
export type Change = Schemas['Change'];
export type Opened = Schemas['Opened'];

export interface Draft {
  kind: Kind;
  /** Null: the file is to go. */
  text: string | null;
  /** Of the text it was made from; null for a new file. */
  etag: string | null;
}

export type Drafts = ReadonlyMap<string, Draft>;

export const list = signal<Schemas['FileList'] | null>(null);
export const opened = signal<ReadonlyMap<string, Opened>>(new Map());
export const drafts = signal<Drafts>(new Map());
export const chosen = signal<string | null>(null);
/** One more whenever a text was changed otherwise than by typing. */
export const revision = signal(0);
/** Where the cursor is to go. */
export const goal = signal<{ file: string; line: number; column: number } | null>(null);
/** Where the cursor is. */
export const cursorLine = signal(0);

export interface Row {
  file: string;
  kind: Kind;
  /** Null for a file that is not on the disk yet. */
  view: Schemas['FileView'] | null;
  draft: Draft | null;
}

/** All files in the order of their names, those that a draft adds among them. */
export const rows = computed<Row[]>(() => {
  const found = new Map<string, Row>();
  for (const view of list.value?.files ?? []) found.set(view.file, { file: view.file, kind: view.kind, view, draft: null });
  for (const [file, draft] of drafts.value) {
    const row = found.get(file);
    if (row) row.draft = draft;
    else if (draft.text !== null) found.set(file, { file, kind: draft.kind, view: null, draft });
  }
  return [...found.values()].sort((one, other) => one.file.localeCompare(other.file, 'en', { numeric: true }));
});

export const kindOf = (file: string): Kind => rows.value.find((row) => row.file === file)?.kind ?? 'plan';

/** The text that stands in the editor. */
export const textOf = (file: string): string => drafts.value.get(file)?.text ?? opened.value.get(file)?.text ?? '';

export const changes = (): Change[] => [...drafts.value].map(([file, { text, etag }]) => ({ file, text, etag }));

const KEPT = 'relais.bench.drafts';
let owner: string | null = null;

const KEEP_AFTER_MS = 300;
let keeping = 0;

function keep(next: Drafts) {
  drafts.value = next;
  window.clearTimeout(keeping);
  keeping = window.setTimeout(store, KEEP_AFTER_MS);
}

/** Drafts outlive a reload of the page, for whoever wrote them. */
function store() {
  window.clearTimeout(keeping);
  try {
    if (drafts.value.size === 0) sessionStorage.removeItem(KEPT);
    else sessionStorage.setItem(KEPT, JSON.stringify({ owner, drafts: [...drafts.value] }));
  } catch {
    // The browser has no room for them: they last as long as the page.
    sessionStorage.removeItem(KEPT);
  }
}

window.addEventListener('pagehide', store);

function kept(): Drafts {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEPT) ?? 'null') as { owner: string; drafts: [string, Draft][] } | null;
    return found?.owner === owner ? new Map(found.drafts) : new Map();
  } catch {
    return new Map();
  }
}

/** Whoever logs in finds their own drafts, and no one else's. */
export async function begin() {
  const user = me.value?.user ?? null;
  if (user !== owner) {
    owner = user;
    batch(() => {
      opened.value = new Map();
      chosen.value = null;
      list.value = null;
      drafts.value = kept();
    });
  }
  await readList();
  const first = rows.value.find((row) => row.draft) ?? rows.value[0];
  if (!chosen.value && first) await open(first.file);
}

export async function readList() {
  list.value = await ok(api.GET('/plans'));
}

/** Shows a file: as it is on the disk now, unless there is a draft of it. */
export async function open(file: string) {
  const known = opened.value.get(file);
  const listed = list.value?.files.some((view) => view.file === file);
  if (listed && !(known && drafts.value.has(file))) {
    const there = await ok(api.GET('/plans/file', { params: { query: { file } } }));
    if (there.etag !== known?.etag) {
      opened.value = new Map(opened.value).set(file, there);
      revision.value += 1;
    }
  }
  chosen.value = file;
}

export async function goTo(file: string, line: number, column = 1) {
  if (!rows.value.some((row) => row.file === file && row.draft?.text !== null)) return;
  await open(file);
  goal.value = { file, line, column };
}

/** What was typed. A text that is again as on the disk is no draft. */
export function write(file: string, text: string) {
  const there = opened.value.get(file);
  const before = drafts.value.get(file);
  const next = new Map(drafts.value);
  const etag = before ? before.etag : (there?.etag ?? null);
  if (there && there.text === text && there.etag === etag) next.delete(file);
  else next.set(file, { kind: kindOf(file), text, etag });
  keep(next);
}

export function add(file: string, kind: Kind, text: string) {
  keep(new Map(drafts.value).set(file, { kind, text, etag: null }));
  revision.value += 1;
  chosen.value = file;
}

export async function remove(file: string) {
  await open(file);
  const there = opened.value.get(file);
  if (!there) return discard([file]);
  keep(new Map(drafts.value).set(file, { kind: there.kind, text: null, etag: there.etag }));
  revision.value += 1;
}

/** The text on the disk again. */
export function discard(files: string[]) {
  const next = new Map(drafts.value);
  for (const file of files) next.delete(file);
  keep(next);
  revision.value += 1;
  if (chosen.value && !rows.value.some((row) => row.file === chosen.value)) void open(rows.value[0]?.file ?? '');
}

/** The draft stands, on the ground of what is on the disk now. */
export async function rebase(file: string) {
  const draft = drafts.value.get(file);
  await forget();
  if (!draft) return;
  keep(new Map(drafts.value).set(file, { ...draft, etag: opened.value.get(file)?.etag ?? etagOf(file) }));
}

export const etagOf = (file: string) => list.value?.files.find((view) => view.file === file)?.etag ?? null;

/** Reads anew what is on the disk. */
export async function forget() {
  const at = chosen.value;
  await readList();
  opened.value = new Map();
  const there = rows.value.some((row) => row.file === at) ? at : rows.value[0]?.file;
  if (there) await open(there);
  revision.value += 1;
}

/** The drafts are in use: they are drafts no longer. */
export async function taken() {
  keep(new Map());
  await forget();
}
