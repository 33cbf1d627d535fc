// SPDX-License-Identifier: Apache-2.0
// "How sure are we": what a figure rests on, the two limits it is held against, whose rules were read, and where from.
import { decimalMemory } from '../../format';
import { useHow } from '../../how/store';
import { t, tCode } from '../../i18n';
import { Rich } from '../Rich';
import { engineName } from '../verdict-texts';
import { Section, Text } from './parts';

const kBases = ['exact', 'modelled', 'measured'] as const;

function Terms() {
  const { terms } = useHow().data.sure;
  return (
    <table class="table stacked">
      <thead>
        <tr>
          <th scope="col">{t('table.part')}</th>
          <th scope="col" class="number">
            {t('how.sure.counted')}
          </th>
          <th scope="col" class="number">
            {t('how.sure.band')}
          </th>
          <th scope="col">{t('how.sure.basis')}</th>
        </tr>
      </thead>
      <tbody>
        {terms.map(({ id, bytes, low, high, basis, records }) => (
          <tr key={id}>
            <th scope="row">{tCode('term', id)}</th>
            <td class="number">{decimalMemory(bytes)}</td>
            <td class="number">
              {low === high ? t('how.sure.noBand') : `${decimalMemory(low)} – ${decimalMemory(high)}`}
            </td>
            <td>
              {records > 0
                ? t('how.sure.records', { basis: t(`how.basis.${basis}`), records })
                : t(`how.basis.${basis}`)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Sure() {
  const { sure } = useHow().data;
  const setup = {
    model: sure.model,
    machine: `${sure.count} × ${sure.device}`,
    engine: engineName(sure.engine),
    version: sure.version,
    need: decimalMemory(sure.need),
    inside: decimalMemory(sure.inside),
    limit: decimalMemory(sure.limit),
    capacity: decimalMemory(sure.capacity),
    low: decimalMemory(sure.low),
    high: decimalMemory(sure.high),
  };
  return (
    <Section id="sure">
      <Text id="how.sure.lead" values={setup} />
      <dl class="meanings">
        {kBases.map((basis) => (
          <div key={basis}>
            <dt>{t(`how.basis.${basis}`)}</dt>
            <dd>
              <Rich text={t(`how.basis.${basis}Means`)} />
            </dd>
          </div>
        ))}
      </dl>
      <Terms />
      <h3>{t('how.sure.bands')}</h3>
      <Text id="how.sure.bandsText" values={setup} />
      <h3>{t('how.sure.limits')}</h3>
      <Text id="how.sure.limitsText" values={setup} />
      <h3>{t('how.sure.engines')}</h3>
      <ul>
        {sure.engines.map(([name, versions]) => (
          <li key={name}>
            <b>{engineName(name)}</b>: {versions}
          </li>
        ))}
      </ul>
      <Text id="how.sure.enginesText" />
      <p>
        <a href="../accuracy/">{t('how.sure.measured')}</a>
      </p>
      <h3>{t('how.sure.sources')}</h3>
      <Text
        id="how.sure.sourcesText"
        values={{ models: sure.models, devices: sure.devices, measured: sure.measuredDevices, data: sure.dataVersion }}
      />
      <ul class="sources">
        {sure.sources.map(({ text, url }) => (
          <li key={text}>
            {url ? (
              <a href={url} rel="noopener noreferrer" target="_blank">
                {text}
              </a>
            ) : (
              text
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}
