// The page that the address names. There are few, so no library.
import { signal } from '@preact/signals';

export const path = signal(location.pathname);

window.addEventListener('popstate', () => {
  path.value = location.pathname;
});

export function go(to: string) {
  if (to === path.value) return;
  history.pushState(null, '', to);
  path.value = to;
}

/** A click on a link of ours, unless the browser is asked for something else. */
export function followLink(event: MouseEvent) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as HTMLElement).closest('a');
  if (!link || link.target || link.origin !== location.origin || link.hasAttribute('download')) return;
  event.preventDefault();
  go(link.pathname);
}
