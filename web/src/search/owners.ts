// SPDX-License-Identifier: Apache-2.0
// Names that people still use for those who publish models, by the present name on Hugging Face.

/** Lower case. Old links and guides use them, and Hugging Face redirects the first kind. */
export const kFormerOwners: Record<string, string[]> = {
  coherelabs: ['CohereForAI'], // renamed in 2025
  'zai-org': ['THUDM', 'ZhipuAI'], // renamed in 2025; ZhipuAI is the name on ModelScope
  'meta-llama': ['LLM-Research'], // where ModelScope keeps the Llama models
};
