// SPDX-License-Identifier: Apache-2.0
// The real llama.cpp reads the files that our writer makes of the catalogue's models, and plans what we count: weights and cache to the byte, graph
// buffers within the stated band. WEIGHBRIDGE_ORACLE=all also asks it again for every record of tests/truth, with its CUDA backend.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { differences, draftDifferences, requestOf } from './compare.mjs';
import { lineProcess } from './line_process.mjs';
import { projectorProcess, startPlanner } from './planner.mjs';
import { projectorOf, writeProjector } from './projectors.mjs';
import { draftPairs, settingsOfDraft, settingsOfEvery, settingsOfMtp } from './settings.mjs';
import { built, configs, fileOf, linesOf, packages, program, writeModels } from './where.mjs';

const all = process.env.WEIGHBRIDGE_ORACLE === 'all';
const read = (name) => readFileSync(new URL(name, import.meta.url), 'utf8');
const models = writeModels();
/** Why a model, or every model of an architecture, does not agree yet. */
const exceptions = JSON.parse(read('exceptions.json'));

const core = lineProcess(program, ['--lines']);
const planners = { cpu: startPlanner({ packages: packages.cpu, built, flavour: 'cpu' }) };
if (all) planners.cuda = startPlanner({ packages: packages.cuda, built, flavour: 'cuda' });
after(() => [core, ...Object.values(planners)].forEach((process) => process.stop()));

const find = (id) => models.find((candidate) => candidate.id === id);
const plan = (model, { flavour, gpus, options, fit, draft }) =>
  planners[flavour].ask({
    file: fileOf(model, options),
    gpus,
    options,
    fit,
    draft: draft && { file: find(draft.model).file, options: draft.options },
  });

/** Sentences for what does not agree. */
async function compared(model, setting) {
  const engine = await plan(model, setting);
  assert.ok(!engine.crashed, `${model.id}: the engine ended (${engine.crashed})`);
  if (engine.refused) return [`refused: ${engine.refused}`];
  const answer = await core.ask(requestOf(model, setting));
  return answer.ok ? differences(answer.result, engine) : [answer.error.message];
}

const onProcessor = { flavour: 'cpu', gpus: 0, options: { flash_attn: 'on', n_ctx: 4096 } };

for (const architecture of new Set(models.map((model) => model.architecture))) {
  test(`${architecture}: every model of the catalogue`, async () => {
    for (const model of models.filter((candidate) => candidate.architecture === architecture)) {
      const found = await compared(model, onProcessor);
      const why = exceptions[model.id] ?? exceptions[architecture];
      if (why)
        assert.notEqual(found.length, 0, `${model.id} agrees with the engine now: exceptions.json says "${why}"`);
      else assert.deepEqual(found, [], model.id);
    }
  });
}

const forProcessor = ({ flavour }) => flavour === 'cpu';

/** Unlike kinds of layers: dense, windows, sinks, experts, latents, recurrent states. */
const sample = [
  'meta-llama/Llama-3.2-1B-Instruct',
  'google/gemma-2-2b-it',
  'google/gemma-3-4b-it',
  'openai/gpt-oss-20b',
  'Qwen/Qwen3-30B-A3B',
  'deepseek-ai/DeepSeek-V2-Lite',
  'Qwen/Qwen3.5-9B',
  'LiquidAI/LFM2-1.2B',
];

for (const id of sample) {
  test(`${id}: at all settings on the processor`, async () => {
    const model = find(id);
    for (const setting of settingsOfEvery(model.n_layers, model.n_experts > 0).filter(forProcessor))
      assert.deepEqual(await compared(model, setting), [], JSON.stringify(setting.options));
  });
}

for (const [id, second] of draftPairs)
  test(`${second} drafts for ${id}, on the processor`, async () => {
    for (const { draftOptions, ...setting } of settingsOfDraft().filter(forProcessor)) {
      const engine = await plan(find(id), { ...setting, draft: { model: second, options: draftOptions } });
      const options = { ...setting.options, draft_model: second };
      const { result } = await core.ask(requestOf(find(id), { ...setting, options }));
      assert.deepEqual([...differences(result, engine), ...draftDifferences(result, 'draft_model', engine.draft)], []);
    }
  });

test('layers of multi-token prediction, on the processor', async () => {
  const model = find('Qwen/Qwen3.5-9B');
  for (const setting of settingsOfMtp().filter(forProcessor)) {
    const { mtp_context, ...options } = setting.options;
    const engine = await plan(model, setting);
    const { result } = await core.ask(requestOf(model, { ...setting, options: { n_rs_seq: 0, ...options } }));
    const found = mtp_context ? draftDifferences(result, 'speculation', engine) : differences(result, engine);
    assert.deepEqual(found, [], JSON.stringify(setting.options));
  }
});

/** A record as the engine would give it today. */
function recorded({ refused, devices, host, chosen, drafts, draft }) {
  const second = drafts ?? draft;
  return JSON.parse(
    JSON.stringify({
      refused,
      devices: refused ? undefined : devices,
      host: refused ? undefined : host,
      chosen,
      drafts: second?.devices && { devices: second.devices, host: second.host },
    }),
  );
}

for (const file of all ? ['llama_cpp_plans.jsonl', 'llama_cpp_drafts.jsonl', 'llama_cpp_fit.jsonl'] : []) {
  test(`${file} is what the engine says`, async () => {
    const records = linesOf(read(`../truth/${file}`));
    for (const record of records) {
      const model = find(record.model);
      const answer = await plan(model, { flavour: record.gpus > 0 ? 'cuda' : 'cpu', ...record });
      if (answer.chosen) answer.chosen.n_ctx = answer.n_ctx;
      assert.deepEqual(
        recorded(answer),
        recorded({ ...record, draft: undefined }),
        `${record.model} ${JSON.stringify(record.options)}`,
      );
    }
  });
}

if (all)
  test('llama_cpp_projectors.jsonl is what clip.cpp says', async () => {
    const projector = projectorProcess();
    after(() => projector.stop());
    for (const { model, format, gpus, ...planned } of linesOf(read('../truth/llama_cpp_projectors.jsonl'))) {
      const { slug, config } = configs().find(({ id }) => id === model);
      const file = `${built}/models/mmproj-${slug}.gguf`;
      writeProjector(file, projectorOf(config));
      assert.deepEqual((await projector.ask({ file, gpus })).warmup, planned, `${model}, ${format}`);
    }
  });
