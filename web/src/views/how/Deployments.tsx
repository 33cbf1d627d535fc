// SPDX-License-Identifier: Apache-2.0
// The article's three deployments, by its own count and as an engine would run them.
import { count, decimalMemory } from '../../format';
import type { Deployment, DeploymentId } from '../../how/figures';
import { useHow } from '../../how/store';
import { t } from '../../i18n';
import { VerdictChip } from '../../verdict/VerdictChip';
import { Rich } from '../Rich';
import { engineName } from '../verdict-texts';
import { CaseLine } from './CaseControls';
import { CalculatorLink, MiniBar, Reason, Section, Text, useMachine } from './parts';

interface Place {
  id: 'edge' | 'cloud' | 'consumer';
  setups: DeploymentId[];
}

const kPlaces: Place[] = [
  { id: 'edge', setups: ['edge'] },
  { id: 'cloud', setups: ['cloud8', 'cloud4', 'cloud2'] },
  { id: 'consumer', setups: ['consumer'] },
];

function Setup({ deployment }: { deployment: Deployment }) {
  const machine = useMachine();
  const { article, engine, parts } = deployment;
  const runs = engine.class !== 'impossible';
  return (
    <div class="setup-line" data-deployment={deployment.id}>
      <div class="setup-head-line">
        <CalculatorLink hash={engine.hash}>{machine(engine)}</CalculatorLink>
        <VerdictChip verdict={engine.class} />
      </div>
      {runs && <MiniBar setup={engine} parts={parts} />}
      <dl class="pairs">
        <div>
          <dt>{t('how.theArticle')}</dt>
          <dd>{decimalMemory(article)}</dd>
        </div>
        {runs && (
          <>
            <div>
              <dt>{engineName('vllm')}</dt>
              <dd>{decimalMemory(engine.total)}</dd>
            </div>
            <div>
              <dt>{t('how.deployments.card')}</dt>
              <dd>{decimalMemory(engine.capacity)}</dd>
            </div>
            <div>
              <dt>{t('how.deployments.most')}</dt>
              <dd>{count(engine.maxSequences ?? 0)}</dd>
            </div>
          </>
        )}
      </dl>
      <Reason setup={engine} />
    </div>
  );
}

export function Deployments() {
  const { figures } = useHow();
  const all = figures.value.deployments;
  return (
    <Section id="deployments" live>
      <Text id="how.deployments.lead" />
      <CaseLine />
      <div class="places">
        {kPlaces.map(({ id, setups }) => (
          <article key={id} class="place" aria-labelledby={`place-${id}`}>
            <h3 id={`place-${id}`}>{t(`how.place.${id}`)}</h3>
            <p class="note">
              <Rich text={t(`how.place.${id}Says`)} />
            </p>
            {all
              .filter((deployment) => setups.includes(deployment.id))
              .map((deployment) => (
                <Setup key={deployment.id} deployment={deployment} />
              ))}
            <p class="note">
              <Rich text={t(`how.place.${id}Note`)} />
            </p>
          </article>
        ))}
      </div>
    </Section>
  );
}
