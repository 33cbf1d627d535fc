// SPDX-License-Identifier: Apache-2.0
// Our figures beside the engine's.

/** More than any model needs on each device: the engine plans so too. */
const kMemory = 2 ** 46;

export function requestOf(model, { gpus, options }) {
  const { n_cpu_moe, ...rest } = options;
  return {
    method: 'estimate',
    params: {
      model: { id: model.id },
      weights: { format: 'gguf:Q4_K_M' },
      engine: { name: 'llama.cpp', options: rest },
      offload: { cpu_moe_layers: n_cpu_moe ?? 0 },
      hardware: gpus > 0 ? [{ memory_bytes: kMemory, count: gpus }] : [],
    },
  };
}

const kTerms = [['weights'], ['kv_cache', 'recurrent_state'], ['compute']];

/** As [weights, cache, graph buffers], each {bytes, low, high}. */
const figuresOf = (terms) =>
  kTerms.map((ids) => {
    const chosen = terms.filter((term) => ids.includes(term.id));
    const sum = (key) => chosen.reduce((all, term) => all + term[key], 0);
    return { bytes: sum('bytes'), low: sum('low_bytes'), high: sum('high_bytes') };
  });

/** Each device, or the host if there is none: what it is, our three figures and the engine's. */
export function pairsOf(result, plan) {
  const devices = plan.devices.map((engine, i) => ({
    place: `GPU ${i}`,
    ours: figuresOf(result.devices[i].terms),
    engine,
  }));
  return devices.length > 0 ? devices : [{ place: 'host', ours: figuresOf(result.host.terms), engine: plan.host }];
}

/** 0.002 %: the engine's own padding of odd rows. */
const kTolerance = 2e-5;

/** Sentences for what does not agree: weights and cache to the byte, graph buffers within the stated band. */
export function differences(result, plan) {
  const found = [];
  for (const { place, ours, engine } of pairsOf(result, plan)) {
    for (const [i, term] of ['weights', 'cache'].entries())
      if (Math.abs(ours[i].bytes - engine[i]) > kTolerance * Math.max(engine[i], 1))
        found.push(`${term} of ${place}: ${ours[i].bytes}, the engine takes ${engine[i]}`);
    const { low, high } = ours[2];
    if (engine[2] < low || engine[2] > high)
      found.push(`graph buffers of ${place}: ${low} to ${high}, the engine takes ${engine[2]}`);
  }
  return found;
}

const kDraftRows = ['draft_weights', 'cache', 'graph'];

/** The same for the host's term of what drafts (`draft_model`: a second model, `speculation`: the model's own layers), whose parts are its rows. */
export function draftDifferences(result, id, plan) {
  const term = result.host.terms.find((candidate) => candidate.id === id);
  const band = {
    draft_weights: 0,
    cache: 0,
    graph: Math.max(term.high_bytes - term.bytes, term.bytes - term.low_bytes),
  };
  return kDraftRows.flatMap((label, i) => {
    const rows = term.formula.rows.filter((row) => row.label === label);
    const ours = rows.reduce((all, row) => all + row.bytes, 0);
    const differs =
      rows.length > 0 && Math.abs(ours - plan.host[i]) > band[label] + kTolerance * Math.max(plan.host[i], 1);
    return differs ? [`${label} of ${id}: ${ours}, the engine takes ${plan.host[i]}`] : [];
  });
}
