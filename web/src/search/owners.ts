// SPDX-License-Identifier: Apache-2.0
// Other names of those who publish models, by their present name on Hugging Face in lower case: old links and guides use them. And of those
// who make GPUs.
export const kOtherNames: Record<string, string[]> = {
  coherelabs: ['CohereForAI'], // renamed in 2025; Hugging Face redirects
  'zai-org': ['THUDM', 'ZhipuAI', '智谱'], // renamed in 2025; ZhipuAI is the name on ModelScope
  cohereforai: ['CohereLabs'], // its name since 2025
  thudm: ['zai-org', 'zhipu', '智谱'], // likewise
  'meta-llama': ['LLM-Research'], // where ModelScope keeps the Llama models
  // What they are called in Chinese.
  qwen: ['通义千问', '千问'],
  'deepseek-ai': ['深度求索'],
  moonshotai: ['月之暗面'],
  tencent: ['腾讯', '混元'],
  baidu: ['百度', '文心'],
  internlm: ['书生'],
  '01-ai': ['零一万物'],
  nvidia: ['英伟达'],
  apple: ['苹果', 'Mac', 'MacBook'],
  google: ['谷歌'],
  huawei: ['华为', '昇腾'],
  intel: ['英特尔'],
  'moore threads': ['摩尔线程'],
  cambricon: ['寒武纪'],
  hygon: ['海光'],
  'alibaba cloud': ['阿里云'],
  'tencent cloud': ['腾讯云'],
  'huawei cloud': ['华为云'],
  'baidu ai cloud': ['百度智能云'],
};
