// SPDX-License-Identifier: Apache-2.0
// On a phone, the verdict in one line while it is out of sight.
import { useEffect, useState } from 'preact/hooks';
import { largeUnits, memory } from '../../format';
import { t } from '../../i18n';
import { useStore } from '../../store';

export function Dock() {
  const { answer, unit } = useStore();
  const [isAway, setAway] = useState(false);
  useEffect(() => {
    const verdict = document.querySelector('.verdict');
    if (!verdict) return undefined;
    const observer = new IntersectionObserver(([entry]) => setAway(entry !== undefined && !entry.isIntersecting));
    observer.observe(verdict);
    return () => observer.disconnect();
  }, []);
  const { verdict } = answer.value;
  const figures =
    verdict.need_bytes === null || verdict.limit_bytes === null
      ? ''
      : `${largeUnits(verdict.need_bytes, unit.value)} / ${memory(verdict.limit_bytes, unit.value)}`;
  return (
    <aside class={isAway ? 'dock shown' : 'dock'} aria-label={t('dock.label')} inert={!isAway}>
      <b>{t(`class.${verdict.class}`)}</b>
      <span>{figures}</span>
      <a
        class="button small"
        href="#setup"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById('setup')?.scrollIntoView();
        }}
      >
        {t('setup.edit')}
      </a>
    </aside>
  );
}
