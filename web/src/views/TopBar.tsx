// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren } from 'preact';
import { unitName, type Unit } from '../format';
import { currentLocale, t } from '../i18n';
import { linkTo, otherLanguage, type PageName } from '../site';
import { useStore } from '../store';
import { Icon } from './Icon';
import { Share } from './Share';

function Brand({ page }: { page: PageName }) {
  return (
    <a class="brand" href={linkTo(page, 'calculator')}>
      <svg viewBox="0 0 22 22" aria-hidden="true">
        <rect class="fill-weights" x="2" y="11" width="18" height="9" rx="2" />
        <rect class="fill-kv" x="2" y="5.5" width="18" height="4.5" rx="1.5" />
        <rect class="fill-act" x="2" y="2" width="18" height="2.5" rx="1.2" />
      </svg>
      {t('brand')}
    </a>
  );
}

function UnitSwitch() {
  const { unit, view } = useStore();
  const other: Unit = unit.value === 'gib' ? 'gb' : 'gib';
  return (
    <button
      class="button ghost"
      type="button"
      aria-label={t('view.unit', { unit: unitName(unit.value), other: unitName(other) })}
      onClick={() => {
        const { unit: _unit, ...rest } = view.value;
        view.value = other === 'gib' ? rest : { ...rest, unit: other };
      }}
    >
      {unitName(unit.value)}
    </button>
  );
}

interface SettingsLinkProps {
  to: string;
  class?: string;
  lang?: string;
  current?: boolean;
  children: ComponentChildren;
}

/** A link to another page of the site; the settings travel along in the address, whichever way it is opened (public/boot.js). */
function SettingsLink({ to, class: className, lang, current, children }: SettingsLinkProps) {
  return (
    <a class={className} href={to} data-carry lang={lang} hreflang={lang} aria-current={current ? 'page' : undefined}>
      {children}
    </a>
  );
}

function LanguageLink({ page }: { page: PageName }) {
  const isChinese = currentLocale() === 'zh-CN';
  const other = isChinese ? 'en' : 'zh-CN';
  return (
    <SettingsLink class="button ghost" to={otherLanguage(page)} lang={other}>
      {isChinese ? 'English' : '中文'}
    </SettingsLink>
  );
}

const kTabs = ['calculator', 'reverse', 'compare', 'how'] as const;

function Tabs({ page }: { page: PageName }) {
  return (
    <nav class="tabs" aria-label={t('nav.label')}>
      {kTabs.map((name) => (
        <SettingsLink key={name} to={linkTo(page, name)} current={name === page}>
          {t(`nav.${name}`)}
        </SettingsLink>
      ))}
    </nav>
  );
}

function toggleTheme(): void {
  const root = document.documentElement;
  const isDark =
    (root.dataset['theme'] ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
  root.dataset['theme'] = isDark ? 'light' : 'dark';
  try {
    localStorage.setItem('theme', root.dataset['theme']);
  } catch {
    // A sandboxed frame has no storage: the choice holds until it is closed.
  }
}

function ThemeButton() {
  return (
    <button class="button ghost icon-only" type="button" aria-label={t('view.theme')} onClick={toggleTheme}>
      <Icon name="moon" />
    </button>
  );
}

/** On every page; what acts on the calculator's answer stands on the calculator only, and a page of figures alone has no script. */
export function TopBar({ page }: { page: PageName }) {
  const isCalculator = page === 'calculator';
  return (
    <header class="top">
      <div>
        <Brand page={page} />
        <Tabs page={page} />
        <div class="tools">
          {(isCalculator || page === 'compare') && <UnitSwitch />}
          <LanguageLink page={page} />
          {page !== 'accuracy' && <ThemeButton />}
          {isCalculator && <Share page={page} />}
        </div>
      </div>
    </header>
  );
}
