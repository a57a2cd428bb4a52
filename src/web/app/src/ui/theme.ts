import { signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';
const KEPT = 'relais.theme';

const kept = localStorage.getItem(KEPT);
export const theme = signal<Theme>(kept === 'light' || kept === 'dark' ? kept : 'system');

/** Whether the system is dark: what is drawn by hand is drawn anew. */
export const dark = signal(false);
const system = matchMedia('(prefers-color-scheme: dark)');
dark.value = system.matches;
system.addEventListener('change', () => {
  dark.value = system.matches;
});

export function setTheme(to: Theme) {
  theme.value = to;
  localStorage.setItem(KEPT, to);
  show();
}

export function show() {
  const root = document.documentElement;
  if (theme.value === 'system') delete root.dataset.theme;
  else root.dataset.theme = theme.value;
}
