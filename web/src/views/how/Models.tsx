// SPDX-License-Identifier: Apache-2.0
// The article's three sizes, and the models that DeepSeek published under the name.
import { count, decimalMemory, multiple, parameters, times } from '../../format';
import type { Member } from '../../how/data';
import { useHow } from '../../how/store';
import { t, tCode } from '../../i18n';
import { engineName } from '../verdict-texts';
import { weightsName } from '../weights-name';
import { sizeName } from './CaseControls';
import { CalculatorLink, Figure, Section, Text, useMachine } from './parts';

export function Sizes() {
  const { weights } = useHow().data;
  return (
    <Section id="sizes">
      <Text id="how.sizes.lead" />
      <table class="table">
        <thead>
          <tr>
            <th scope="col">{t('how.sizes.version')}</th>
            <th scope="col" class="number">
              {t('how.theArticle')}
            </th>
            <th scope="col" class="number">
              {engineName('vllm')}
            </th>
          </tr>
        </thead>
        <tbody>
          {weights.map(({ id, format, article, engine }) => (
            <tr key={id + format}>
              <th scope="row">
                {sizeName(id)} {weightsName(format)}
              </th>
              <td class="number">
                <Figure bytes={article} />
              </td>
              <td class="number">
                <Figure bytes={engine} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <Text id="how.sizes.note" />
    </Section>
  );
}

function MemberRow({ member }: { member: Member }) {
  const machine = useMachine();
  const { name, attention, format, weights, token, tokenByHeads, setup } = member;
  const facts = [
    t('model.parameters', { size: parameters(member.parameters) }),
    tCode('attention', attention),
    weightsName(format),
  ];
  if (member.active < member.parameters * 0.9)
    facts.splice(1, 0, t('how.family.active', { size: parameters(member.active) }));
  return (
    <tr>
      <th scope="row">
        {name}
        <small>{facts.join(' · ')}</small>
        <small>
          <CalculatorLink hash={member.hash}>{t('how.family.fits', { machine: machine(setup) })}</CalculatorLink>
        </small>
      </th>
      <td class="number optional">{decimalMemory(weights)}</td>
      <td class="number">{count(token)}</td>
      <td class="number">{times(tokenByHeads / token)}</td>
    </tr>
  );
}

export function Family() {
  const { family, quantizedToken } = useHow().data;
  const factors = family.map(({ tokenByHeads, token }) => tokenByHeads / token);
  const r1 = family.find(({ id }) => id === 'deepseek-ai/DeepSeek-R1');
  const largest = family.find(({ id }) => id === 'article/13b');
  const gqa = family.find(({ name }) => name === quantizedToken.name);
  if (!r1 || !largest || !gqa) return null;
  const values = {
    size: parameters(r1.parameters),
    active: parameters(r1.active),
    weights: decimalMemory(r1.weights),
    r1: decimalMemory(r1.token),
    mha: decimalMemory(largest.token),
    times: multiple(largest.token / r1.token),
    most: multiple(Math.max(...factors)),
    gqa: gqa.name,
    gqaToken: decimalMemory(gqa.token),
    halved: decimalMemory(quantizedToken.token),
    both: multiple(gqa.tokenByHeads / quantizedToken.token),
  };
  return (
    <Section id="family">
      <Text id="how.family.lead" values={values} />
      <table class="table stacked">
        <thead>
          <tr>
            <th scope="col">{t('field.model')}</th>
            <th scope="col" class="number optional">
              {t('part.weights')}
            </th>
            <th scope="col" class="number">
              {t('how.family.token')}
            </th>
            <th scope="col" class="number">
              {t('how.family.less')}
            </th>
          </tr>
        </thead>
        <tbody>
          {family.map((member) => (
            <MemberRow key={member.id} member={member} />
          ))}
        </tbody>
      </table>
      <Text id="how.family.note" values={values} />
      <Text id="how.family.quantized" values={values} />
      <Text id="how.family.moe" values={values} />
    </Section>
  );
}
