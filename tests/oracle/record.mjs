// SPDX-License-Identifier: Apache-2.0
// record.mjs [ID...]: asks the real engine for every setting of settings.mjs, of every model of the catalogue that it loads, and writes the records of
// tests/truth anew; with ids, only those of these models.
import { readFileSync, writeFileSync } from 'node:fs';
import { projectorProcess, startPlanner } from './planner.mjs';
import { projectorOf, writeProjector } from './projectors.mjs';
import {
  draftPairs,
  settingsInDepth,
  settingsOfDraft,
  settingsOfDraftFit,
  settingsOfEmbedding,
  settingsOfEvery,
  settingsOfFit,
  settingsOfModel,
  settingsOfMtp,
} from './settings.mjs';
import { built, configs, fileOf, linesOf, packages, writeModels } from './where.mjs';

const wanted = process.argv.slice(2);
const everyModel = writeModels();
const models = everyModel.filter(({ id }) => wanted.length === 0 || wanted.includes(id));
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

/** The file is wrong, not the setting: that is for exceptions.json. */
const kNotLoaded =
  /unknown model architecture|check_tensor_dims|wrong number of tensors|hyperparameters|failed to read|token type count/;

async function record(model, { flavour, gpus, options, fit, draftOptions }, drafting) {
  const draft = drafting && { file: drafting.file, options: draftOptions };
  const answer = await planners[flavour].ask({ file: fileOf(model, options), gpus, options, fit, draft });
  if (answer.crashed || kNotLoaded.test(answer.refused ?? '')) {
    problems.push(`${model.id} at ${JSON.stringify(options)}: ${answer.refused ?? `ended, ${answer.crashed}`}`);
    return undefined;
  }
  const { refused, devices, host, chosen, n_ctx } = answer;
  const planned = answer.draft && { drafts: { devices: answer.draft.devices, host: answer.draft.host } };
  const figures = refused ? { refused } : { devices, host, ...planned };
  const line = {
    model: model.id,
    format: 'gguf:Q4_K_M',
    gpus,
    options,
    ...(drafting && { draft: { model: drafting.id, options: draftOptions } }),
    ...(fit && { fit }),
    ...(chosen && { chosen: { ...chosen, n_ctx } }),
    ...figures,
  };
  records.push(line);
  return line;
}

async function all(model, settings, drafting) {
  for (const setting of settings) await record(model, setting, drafting);
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
for (const [id, draftId] of draftPairs) {
  const model = models.find((candidate) => candidate.id === id);
  const drafting = everyModel.find((candidate) => candidate.id === draftId);
  if (!model) continue;
  await all(model, settingsOfDraft(), drafting);
  const whole = records.findLast(
    (line) => line.model === id && line.drafts && line.gpus === 1 && line.options.n_ctx === 32768,
  );
  const sum = [...whole.devices[0], ...whole.drafts.devices[0]].reduce((a, b) => a + b);
  await all(model, settingsOfDraftFit(sum), drafting);
}
planners.cpu.stop();
planners.cuda.stop();

/** Image encoders, of one the graph of the warm-up's image on a device and on the processor. */
const encoders = [];
const projector = projectorProcess();
for (const { id, slug, config } of configs()) {
  const written = (wanted.length === 0 || wanted.includes(id)) && projectorOf(config);
  if (!written) continue;
  const file = `${built}/models/mmproj-${slug}.gguf`;
  writeProjector(file, written);
  for (const gpus of [1, 0]) {
    const { warmup, refused, crashed } = await projector.ask({ file, gpus });
    if (warmup) encoders.push({ model: id, format: 'gguf:Q4_K_M', gpus, ...warmup });
    else problems.push(`the encoder of ${id}: ${refused ?? `ended, ${crashed}`}`);
  }
}
projector.stop();

/** Of other models than those that were asked for, what is there stays. */
function write(name, lines) {
  const file = new URL(`../truth/${name}`, import.meta.url);
  const kept =
    wanted.length === 0 ? [] : linesOf(readFileSync(file, 'utf8')).filter(({ model }) => !wanted.includes(model));
  writeFileSync(file, [...kept, ...lines].map((line) => JSON.stringify(line) + '\n').join(''));
}
write('llama_cpp_plans.jsonl', records.filter((line) => !line.fit && !line.draft)); // prettier-ignore
write('llama_cpp_drafts.jsonl', records.filter((line) => !line.fit && line.draft)); // prettier-ignore
write('llama_cpp_projectors.jsonl', encoders);
write('llama_cpp_fit.jsonl', records.filter((line) => line.fit)); // prettier-ignore
console.log(
  `${records.length} records of ${architectures.size} architectures, ${records.filter((line) => line.refused).length} refusals`,
);
for (const problem of problems) console.log(problem);
