// What stands around every page: where one is, one's state, one's account.
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { logOut, pagesOf } from './app';
import { type Key, lang, setLang, t } from './i18n';
import { connected, me } from './live/store';
import { KeysDialog } from './pages/desk/keys';
import { StateControl } from './pages/desk/state';
import { Icon } from './ui/icons';
import { Dialog, Item, Menu } from './ui/parts';
import { setTheme, theme, type Theme } from './ui/theme';

const names: Record<string, Key> = {
  '/': 'nav.desk',
  '/board': 'nav.board',
  '/records': 'nav.records',
  '/reports': 'nav.reports',
  '/bench': 'nav.bench',
  '/prompts': 'nav.prompts',
  '/users': 'nav.users',
  '/wall': 'nav.wall',
};

export function Shell({ at, children }: { at: string; children: ComponentChildren }) {
  const who = me.value;
  const own = pagesOf(who?.role ?? 'agent');
  const keys = useSignal(false);
  const bare = at === '/wall';
  return (
    <>
      <a class="skip" href="#content" onClick={(event) => {
        event.preventDefault();
        document.getElementById('content')?.focus();
      }}>{t('app.skip')}</a>
      {!bare && (
        <header class="bar">
          <div class="mark">
            <img src="/mark.svg" alt="" />
            <span>{t('app.name')}</span>
          </div>
          {own.length > 1 && (
            <nav aria-label={t('nav.main')}>
              {own.map((page) => (
                <a key={page} href={page} aria-current={page === at ? 'page' : undefined}>
                  {t(names[page] ?? 'app.name')}
                </a>
              ))}
            </nav>
          )}
          <div class="room" />
          {who?.agent && <StateControl />}
          <Account
            onKeys={() => {
              keys.value = true;
            }}
          />
        </header>
      )}
      {!connected.value && (
        <div class="banner alert" role="alert">
          <Icon name="warn" />
          {t('app.reconnecting')}
        </div>
      )}
      <main id="content" tabIndex={-1}>
        {children}
      </main>
      {keys.value && (
        <Dialog title={t('keys.title')} onClose={() => {
          keys.value = false;
        }}>
          <KeysDialog />
        </Dialog>
      )}
    </>
  );
}

function Account({ onKeys }: { onKeys: () => void }) {
  const who = me.value;
  const name = who?.name ?? who?.user ?? '';
  const themes: Theme[] = ['system', 'light', 'dark'];
  return (
    <Menu label={t('menu.account', { name })} button={<><span>{name}</span><Icon name="down" /></>}>
      <h3>{t('menu.language')}</h3>
      {(['en', 'fr'] as const).map((one) => (
        <Item key={one} checked={lang.value === one} onDo={() => setLang(one)}>
          {t(`lang.${one}`)}
        </Item>
      ))}
      <h3>{t('menu.theme')}</h3>
      {themes.map((one) => (
        <Item key={one} checked={theme.value === one} onDo={() => setTheme(one)}>
          {t(`menu.theme.${one}`)}
        </Item>
      ))}
      <hr />
      {who?.agent && <Item onDo={onKeys}>{t('menu.keys')}</Item>}
      <Item onDo={logOut}>{t('menu.logOut')}</Item>
    </Menu>
  );
}
