// SPDX-License-Identifier: Apache-2.0
// weighbridge_projector BACKENDS: asks llama.cpp's own tools/mtmd/clip.cpp what an image encoder takes, without its weights. One JSON object a line
// in, one out. {"file", "gpus": 0 or 1, "image": pixels of a side} answers {"warmup": {"pixels", "device", "host"}, "image": the same}, each place as
// [weights, buffer of the graph] in bytes; the graph is reserved for the image that the engine warms up with, then for the one asked about.
// clip.cpp is compiled in, since no package has it as a library: projector_sources.inc names it and its graphs.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "projector_sources.inc"

namespace {

using Json = nlohmann::ordered_json;

std::string g_complaint;

void keep_complaint(ggml_log_level level, const char* text, void*) {
  if (std::getenv("PLANNER_LOG") != nullptr) std::fputs(text, stderr);
  if (level == GGML_LOG_LEVEL_ERROR) g_complaint = text;
}

Json places(const clip_ctx& context) {
  const auto sum_on = [](const std::map<ggml_backend_dev_t, size_t>& sizes, bool on_gpu) {
    size_t sum = 0;
    for (const auto& [device, bytes] : sizes)
      if ((ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_GPU) == on_gpu) sum += bytes;
    return sum;
  };
  Json answer;
  for (const bool on_gpu : {true, false})
    answer[on_gpu ? "device" : "host"] = {sum_on(context.mem_usage, on_gpu), sum_on(context.mem_compute, on_gpu)};
  return answer;
}

Json ask(const Json& request) {
  g_complaint.clear();
  clip_context_params params{};
  params.use_gpu = request.value("gpus", 0) > 0;
  params.flash_attn_type = CLIP_FLASH_ATTN_TYPE_AUTO;
  params.warmup = true;
  params.no_alloc = true;
  const clip_init_result made = clip_init(request["file"].get<std::string>().c_str(), params);
  if (made.ctx_v == nullptr) return Json{{"refused", g_complaint}};
  Json answer{{"warmup", places(*made.ctx_v)}};
  answer["warmup"]["pixels"] = made.ctx_v->model.hparams.warmup_image_size;
  if (const int side = request.value("image", 0); side > 0) {
    clip_image_f32_batch batch;
    clip_image_f32 image;
    image.set_size({side, side}, false, false);
    batch.entries.push_back(image);
    clip_model_loader::reserve_compute_meta(*made.ctx_v, batch);
    answer["image"] = places(*made.ctx_v);
    answer["image"]["pixels"] = side;
  }
  clip_free(made.ctx_v);
  return answer;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: weighbridge_projector FOLDER_OF_BACKENDS\n");
    return 2;
  }
  ggml_log_set(keep_complaint, nullptr);
  g_logger_state.log_callback = keep_complaint;
  ggml_backend_load_all_from_path(argv[1]);
  for (std::string line; std::getline(std::cin, line);) {
    const Json request = Json::parse(line, nullptr, false);
    const Json answer = request.is_object() && request.contains("file") ? ask(request) : Json{{"error", "no request"}};
    std::printf("%s\n", answer.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    std::fflush(stdout);
  }
  return 0;
}
