// SPDX-License-Identifier: Apache-2.0
// Asks the real engine for every setting of settings.mjs, of every model of the catalogue that it loads, and writes the records of tests/truth anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { startPlanner } from './planner.mjs';
import {
  settingsInDepth,
  settingsOfEmbedding,
  settingsOfEvery,
  settingsOfFit,
  settingsOfModel,
  settingsOfMtp,
} from './settings.mjs';
import { built, fileOf, packages, writeModels } from './where.mjs';

const models = writeModels();
const planners = {
  cpu: startPlanner({ packages: packages.cpu, built, flavour: 'cpu' }),
  cuda: startPlanner({ packages: packages.cuda, built, flavour: 'cuda' }),
};

/** Unlike kinds of layers, and of sizes that people run. */
const inDepth = new Set(
  readFileSync(new URL('in_depth.txt', import.meta.url), 'utf8')
    .split('\n')
    .filter(Boolean),
);

const records = [];
const problems = [];

async function record(model, { flavour, gpus, options, fit }) {
  const answer = await planners[flavour].ask({ file: fileOf(model, options), gpus, options, ...(fit && { fit }) });
  if (
    answer.crashed ||
    /unknown model architecture|check_tensor_dims|wrong number of tensors|hyperparameters|failed to read|token type count/.test(
      answer.refused ?? '',
    )
  ) {
    problems.push(
      `${model.id}: ${answer.crashed ? `crashed (${answer.crashed}) at ${JSON.stringify(options)}` : answer.refused}`,
    );
    return undefined;
  }
  const { refused, devices, host, chosen, n_ctx } = answer;
  const figures = refused ? { refused } : { devices, host };
  const line = {
    model: model.id,
    format: 'gguf:Q4_K_M',
    gpus,
    options,
    ...(fit && { fit }),
    ...(chosen && { chosen: { ...chosen, n_ctx } }),
    ...figures,
  };
  records.push(line);
  return line;
}

async function all(model, settings) {
  for (const setting of settings) await record(model, setting);
}

const architectures = new Set();
for (const model of models) {
  const first = await record(model, settingsOfModel[0]);
  if (!first) continue;
  const isNew = !architectures.has(model.architecture);
  architectures.add(model.architecture);
  const depth = inDepth.has(model.id);
  if (isNew && model.mtp_file) await all(model, settingsOfMtp());
  if (isNew && /bert|embed/.test(model.architecture)) await all(model, settingsOfEmbedding);
  if (isNew || depth) await all(model, settingsOfEvery(model.n_layers, model.n_experts > 0));
  if (!depth) continue;
  await all(model, settingsInDepth(model.n_layers, model.n_experts > 0, model.max_context_tokens));
  const [weights, cache, graphs] = (await record(model, { flavour: 'cuda', gpus: 1, options: { n_ctx: 32768 } }))
    .devices[0];
  await all(model, settingsOfFit(weights + cache + graphs));
}
planners.cpu.stop();
planners.cuda.stop();
const write = (name, lines) =>
  writeFileSync(
    new URL(`../truth/${name}`, import.meta.url),
    lines.map((line) => JSON.stringify(line) + '\n').join(''),
  );
write(
  'llama_cpp_plans.jsonl',
  records.filter((line) => !line.fit),
);
write(
  'llama_cpp_fit.jsonl',
  records.filter((line) => line.fit),
);
console.log(
  `${records.length} records of ${architectures.size} architectures, ${records.filter((line) => line.refused).length} refusals`,
);
for (const problem of problems) console.log(problem);
