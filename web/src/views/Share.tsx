// SPDX-License-Identifier: Apache-2.0
import { useRef, useState } from 'preact/hooks';
import type { Core } from '../core/core';
import { column, unitName } from '../format';
import { sentences, t } from '../i18n';
import { currentHash } from '../link';
import { linkTo, type PageName } from '../site';
import { useStore, type Store } from '../store';
import { Icon } from './Icon';
import { kParts, sum, termsOf } from './parts';
import { modelName, verdictTexts } from './verdict-texts';

const kFrameHeight = 540; // px; the default answer in 700 px of width, as documentation has it

async function shareLink(store: Store, core: Core): Promise<string> {
  const [device] = store.answer.value.devices;
  const shared = device ? { shared: { data: store.first.dataVersion, total_gib: device.total_bytes / 2 ** 30 } } : {};
  const hash = await currentHash(store, core, { complete: true, ...shared });
  return location.origin + location.pathname + (hash ? `#${hash}` : '');
}

const plainSentence = (store: Store): string => {
  const { headline, sentence } = verdictTexts(store.answer.value, store.unit.value);
  return `${headline}${t('list.stop')} ${sentence.replaceAll(/<\/?b>/g, '')}`;
};

/** The verdict and the table, as Markdown. */
function markdown(store: Store, link: string): string {
  const answer = store.answer.value;
  const device = answer.devices[answer.verdict.device ?? 0];
  const lines = [plainSentence(store), ''];
  if (device) {
    const parts = kParts.map((part) => sum(termsOf(device, part)));
    const figures = column(parts, store.unit.value);
    lines.push(
      `| ${t('table.part')} | ${t('table.fullest', { unit: unitName(store.unit.value), devices: answer.devices.length })} |`,
      '|---|---:|',
    );
    kParts.forEach((part, index) => lines.push(`| ${t(`part.${part}`)} | ${figures.parts[index]} |`));
    lines.push(`| **${t('table.total')}** | **${figures.total}** |`, '');
  }
  return [...lines, link].join('\n');
}

const attribute = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');

/** A frame that works where scripts of other sites do not: wikis, notebooks, content systems. */
function embedCode(store: Store, page: PageName, link: string): string {
  const address = new URL(linkTo(page, 'embed'), link).href + new URL(link).hash;
  const title = t('embed.frameTitle', { model: modelName(store.answer.value) });
  return [
    `<iframe src="${attribute(address)}" title="${attribute(title)}"`,
    `  width="100%" height="${kFrameHeight}" loading="lazy" referrerpolicy="no-referrer"`,
    '  sandbox="allow-scripts allow-popups allow-popups-to-escape-sandbox"></iframe>',
  ].join('\n');
}

export function Share({ page }: { page: PageName }) {
  const store = useStore();
  const [said, setSaid] = useState('');
  const popover = useRef<HTMLDivElement>(null);
  const state = store.coreState.value;
  const core = state.status === 'ready' ? state.core : undefined;

  async function copy(make: (link: string) => string): Promise<void> {
    const link = core ? await shareLink(store, core) : location.href;
    try {
      await navigator.clipboard.writeText(make(link));
      const isIncomplete = /[#&]c=-(&|$)/.test(link);
      setSaid(sentences(t('share.copied'), isIncomplete ? t('read.notInLink') : ''));
    } catch {
      setSaid(t('share.refused', { link }));
    }
  }
  const { config, spec, hub } = store.request.value.model;
  const note = config ? 'share.noteCustom' : spec && !hub ? 'read.notInLink' : 'share.note';
  return (
    <>
      <button
        class="button ink"
        type="button"
        aria-label={t('share.title')}
        popovertarget="share"
        onClick={() => setSaid('')}
      >
        <Icon name="share" />
        <span class="wide">{t('share.title')}</span>
      </button>
      <div id="share" popover="auto" class="popover" ref={popover} role="dialog" aria-label={t('share.title')}>
        <button class="menu-item" type="button" onClick={() => void copy((link) => link)}>
          {t('share.link')}
        </button>
        <button class="menu-item" type="button" onClick={() => void copy(() => plainSentence(store))}>
          {t('share.line')}
        </button>
        <button class="menu-item" type="button" onClick={() => void copy((link) => markdown(store, link))}>
          {t('share.markdown')}
        </button>
        <button class="menu-item" type="button" onClick={() => void copy((link) => embedCode(store, page, link))}>
          {t('share.embed')}
        </button>
        <p class="hint">{t(note)}</p>
        <p role="status" class="share-said">
          {said}
        </p>
      </div>
    </>
  );
}
