// Who is there, and which page they see.
import { signal, useSignal, useSignalEffect } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { api, ok, Refused, type Role, whenLoggedOut } from './api/client';
import { lang, suggestLang, t } from './i18n';
import { follow, leave, loaded, me } from './live/store';
import { Login } from './pages/login';
import { switchOff } from './phone';
import { followLink, path } from './route';
import { Notices } from './ui/parts';
import { Shell } from './shell';

export type Phase = 'starting' | 'unreachable' | 'login' | 'over' | 'in';
export const phase = signal<Phase>('starting');

/** Each page is fetched when it is first shown. */
const pages: Record<string, { roles: Role[]; load: () => Promise<{ default: ComponentType }> }> = {
  '/': { roles: ['agent'], load: () => import('./pages/desk/index') },
  '/board': { roles: ['supervisor', 'operator', 'admin'], load: () => import('./pages/board/index') },
  '/records': { roles: ['supervisor', 'operator', 'admin'], load: () => import('./pages/records') },
  '/reports': { roles: ['supervisor', 'operator', 'admin'], load: () => import('./pages/reports') },
  '/bench': { roles: ['operator', 'admin'], load: () => import('./pages/bench/index') },
  '/prompts': { roles: ['operator', 'admin'], load: () => import('./pages/prompts/index') },
  '/users': { roles: ['admin'], load: () => import('./pages/users/index') },
  '/wall': { roles: ['supervisor', 'operator', 'admin'], load: () => import('./pages/wall') },
};

async function start() {
  try {
    const who = await ok(api.GET('/session'));
    suggestLang(who.language);
    await follow(who);
    phase.value = 'in';
  } catch (error) {
    phase.value = error instanceof Refused && error.status === 401 ? 'login' : 'unreachable';
  }
}

export async function enter() {
  phase.value = 'starting';
  await start();
}

export async function logOut() {
  switchOff(false);
  await api.POST('/logout').catch(() => undefined);
  leave();
  phase.value = 'login';
}

export function App() {
  useEffect(() => {
    whenLoggedOut(() => {
      if (phase.value !== 'in') return;
      switchOff(false);
      leave();
      phase.value = 'over';
    });
    void start();
  }, []);
  useSignalEffect(() => {
    document.documentElement.lang = lang.value;
  });
  return (
    <div onClick={followLink}>
      <Content />
      <Notices />
    </div>
  );
}

function Content() {
  switch (phase.value) {
    case 'starting':
      return <p class="centered">{t('app.loading')}</p>;
    case 'unreachable':
      return (
        <div class="centered">
          <p>{t('app.unreachable')}</p>
          <button type="button" class="button" onClick={() => void enter()}>
            ↻
          </button>
        </div>
      );
    case 'login':
    case 'over':
      return <Login over={phase.value === 'over'} />;
    case 'in':
      return loaded.value ? <Page /> : <p class="centered">{t('app.loading')}</p>;
  }
}

/** The pages that somebody may see, the first one theirs. */
export function pagesOf(role: Role): string[] {
  return Object.entries(pages)
    .filter(([, page]) => page.roles.includes(role))
    .map(([at]) => at);
}

function Page() {
  const role = me.value?.role ?? 'agent';
  const own = pagesOf(role);
  const at = own.includes(path.value) ? path.value : (own[0] ?? '/');
  const shown = useSignal<{ at: string; page: ComponentType } | null>(null);
  useEffect(() => {
    let current = true;
    void pages[at]?.load().then((module) => {
      if (current) shown.value = { at, page: module.default };
    });
    return () => {
      current = false;
    };
  }, [at]);
  const Shown = shown.value?.at === at ? shown.value.page : null;
  return <Shell at={at}>{Shown ? <Shown /> : <p class="centered">{t('app.loading')}</p>}</Shell>;
}
