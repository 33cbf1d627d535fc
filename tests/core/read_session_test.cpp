// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/read_session.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "api_fixture.hpp"
#include "embedded.hpp"
#include "file_writer.hpp"

namespace weighbridge::read_session_test {
namespace {

using testing::GgufWriter;
using testing::Json;
using testing::safetensors_file;

/// A file on a disk that only exists in the test: its header, and how large it says to be.
struct DiskFile {
  std::string name;
  std::string content;
  std::uint64_t bytes = 0;
};
DiskFile text_file(std::string name, std::string content) {
  const std::uint64_t bytes = content.size();
  return {std::move(name), std::move(content), bytes};
}
DiskFile gguf_file(std::string name, const GgufWriter& writer) { return {std::move(name), writer.header(), writer.file_bytes()}; }
/// A shard with one tensor of four bytes.
DiskFile shard(std::string name, const std::string& tensor) {
  const std::string header = safetensors_file(R"({")" + tensor + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})");
  return {std::move(name), header, header.size() + 4};
}

GgufWriter part(std::uint32_t number, std::uint32_t count, const std::string& tensor) {
  GgufWriter writer;
  writer.text("general.architecture", "llama").number("split.no", number).number("split.count", count).number("split.tensors.count", count);
  writer.tensor(tensor, {8}, 0, 32);
  return writer;
}

constexpr const char* kConfig = R"({"model_type":"llama"})";
constexpr const char* kIndex =
    R"({"metadata":{"total_size":8},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}})";

struct Outcome {
  std::optional<FilesRead> read;
  std::string code;
  std::string message;
  std::vector<std::string> asked;  ///< every piece, as "name offset bytes"

  [[nodiscard]] bool warns(std::string_view code_wanted) const {
    return read && std::any_of(read->warnings.begin(), read->warnings.end(), [&](const Notice& notice) { return notice.code == code_wanted; });
  }
};

/// Serves a session from `disk`; files that are not on it are absent. `names` are what is offered.
Outcome serve(const std::vector<DiskFile>& disk, const std::vector<NamedFile>& names, bool remote) {
  Outcome outcome;
  const auto failed = [&](const Error& error) {
    outcome.code = error.code;
    outcome.message = error.message;
    return outcome;
  };
  Result<ReadSession> session = ReadSession::open(names, remote);
  if (!session) return failed(session.error());
  while (!session->done()) {
    const std::vector<FileNeed> needs = session->needs();
    if (needs.empty()) return failed({"stuck", "", "no needs, and not done", "", "", ""});
    for (const FileNeed& need : needs) {
      outcome.asked.push_back(need.file + ' ' + std::to_string(need.offset) + ' ' + std::to_string(need.bytes));
      const auto file = std::find_if(disk.begin(), disk.end(), [&](const DiskFile& known) { return known.name == need.file; });
      const Result<void> pushed = file == disk.end() ? session->absent(need.file)
                                                     : session->push(need.file, file->bytes, need.offset,
                                                                     file->content.size() > need.offset
                                                                         ? std::string_view(file->content).substr(need.offset, need.bytes)
                                                                         : std::string_view());
      if (!pushed) return failed(pushed.error());
    }
  }
  Result<FilesRead> read = session->take();
  if (!read) return failed(read.error());
  outcome.read = std::move(*read);
  return outcome;
}

Outcome drop(const std::vector<DiskFile>& disk) {
  std::vector<NamedFile> names;
  for (const DiskFile& file : disk) names.push_back({file.name, file.bytes});
  return serve(disk, names, false);
}

Outcome fetch(const std::vector<DiskFile>& disk, const std::vector<std::string>& first) {
  std::vector<NamedFile> names;
  for (const std::string& name : first) names.push_back({name, std::nullopt});
  return serve(disk, names, true);
}
const std::vector<std::string> kFirstNames{"config.json", "model.safetensors.index.json", "model.safetensors"};

TEST(ReadSession, OneGgufIsReadWithoutItsWeights) {
  GgufWriter writer;
  writer.text("general.architecture", "llama").tensor("t", {1 << 20}, 0, 4 << 20);
  const Outcome outcome = drop({gguf_file("x.gguf", writer)});
  ASSERT_TRUE(outcome.read) << outcome.message;
  EXPECT_EQ(outcome.read->weights_bytes(), Bytes(4 << 20));
  EXPECT_EQ(outcome.asked, std::vector<std::string>{"x.gguf 0 1048576"});
}

TEST(ReadSession, AFolderIsReadByItsIndex) {
  const Outcome outcome = drop({shard("m/model-00001-of-00002.safetensors", "a"), shard("m/consolidated.safetensors", "z"),
                                text_file("m/README.md", "hi"), text_file("m/model.safetensors.index.json", kIndex),
                                shard("m/model-00002-of-00002.safetensors", "b"), text_file("m/tokenizer.json", "{}"),
                                text_file("m/config.json", kConfig), text_file("m/sub/config.json", "{}")});
  ASSERT_TRUE(outcome.read) << outcome.message;
  EXPECT_EQ(outcome.read->config, kConfig);
  EXPECT_EQ(outcome.read->safetensors.size(), 2U);
  EXPECT_EQ(outcome.read->weights_bytes(), Bytes(8));
  EXPECT_EQ(outcome.read->weights_from, WeightsFrom::headers);
  EXPECT_TRUE(outcome.warns("file_ignored"));
}

TEST(ReadSession, ShardsAreAskedForOnlyAfterTheIndex) {
  Result<ReadSession> session = ReadSession::open(
      {{"model-00001-of-00002.safetensors", 100}, {"model.safetensors.index.json", std::string_view(kIndex).size()}}, false);
  ASSERT_TRUE(session);
  ASSERT_EQ(session->needs().size(), 1U);
  EXPECT_EQ(session->needs()[0].file, "model.safetensors.index.json");
  EXPECT_EQ(session->push("model-00001-of-00002.safetensors", {}, 0, "x").error().code, "unknown_file");
  ASSERT_TRUE(session->push("model.safetensors.index.json", {}, 0, kIndex));
  ASSERT_EQ(session->needs().size(), 1U);
  EXPECT_EQ(session->needs()[0].file, "model-00001-of-00002.safetensors");
}

TEST(ReadSession, AMissingShardIsNamedAndTheIndexCounts) {
  const Outcome outcome = drop(
      {text_file("config.json", kConfig), text_file("model.safetensors.index.json", kIndex), shard("model-00001-of-00002.safetensors", "a")});
  ASSERT_TRUE(outcome.read) << outcome.message;
  EXPECT_EQ(outcome.read->weights_from, WeightsFrom::index);
  EXPECT_EQ(outcome.read->weights_bytes(), Bytes(8));
  ASSERT_TRUE(outcome.warns("parts_missing"));
  EXPECT_EQ(outcome.read->warnings[0].message, "Part 2 of 2 is missing. Weights are counted from the index instead.");
}

TEST(ReadSession, AnIndexAloneSaysWhatIsMissing) {
  const Outcome outcome = drop({text_file("model.safetensors.index.json", kIndex)});
  ASSERT_TRUE(outcome.read) << outcome.message;
  ASSERT_TRUE(outcome.warns("index_only"));
  EXPECT_EQ(outcome.read->warnings[0].message, "This index lists 2 files. Drop config.json too, and we can count the cache.");
  EXPECT_EQ(outcome.read->weights_bytes(), Bytes(8));
}

TEST(ReadSession, ShardsAloneAreWeightsWithoutACache) {
  const Outcome outcome = drop({shard("model-00002-of-00002.safetensors", "b"), shard("model-00001-of-00002.safetensors", "a")});
  ASSERT_TRUE(outcome.read) << outcome.message;
  EXPECT_TRUE(outcome.warns("no_config"));
  EXPECT_EQ(outcome.read->weights_bytes(), Bytes(8));
  const Outcome half = drop({shard("model-00002-of-00002.safetensors", "b")});
  EXPECT_EQ(half.code, "parts_missing");
  EXPECT_NE(half.message.find("Part 1 of 2 is missing"), std::string::npos) << half.message;
}

TEST(ReadSession, ShardsThatAreMissingLeaveTheCountToTheConfig) {
  const Outcome outcome = drop({shard("model-00002-of-00003.safetensors", "b"), text_file("config.json", kConfig)});
  ASSERT_TRUE(outcome.read) << outcome.message;
  EXPECT_EQ(outcome.read->weights_from, WeightsFrom::nothing);
  EXPECT_EQ(outcome.read->warnings[0].message, "Parts 1 and 3 of 3 are missing. Weights are counted from config.json instead.");
}

TEST(ReadSession, AConfigAloneMayHaveAnotherName) {
  for (const char* name : {"config.json", "my-model.json"}) {
    const Outcome outcome = drop({text_file(name, kConfig)});
    ASSERT_TRUE(outcome.read) << outcome.message;
    EXPECT_EQ(outcome.read->config, kConfig);
    EXPECT_FALSE(outcome.read->weights_bytes());
  }
}

TEST(ReadSession, PartsOfAGgufBelongTogether) {
  const Outcome outcome = drop({gguf_file("x-00002-of-00002.gguf", part(1, 2, "b")), gguf_file("x-00001-of-00002.gguf", part(0, 2, "a"))});
  ASSERT_TRUE(outcome.read) << outcome.message;
  EXPECT_EQ(outcome.read->gguf[0].tensors[0].name, "a");
  EXPECT_EQ(outcome.read->weights_bytes(), Bytes(64));

  const Outcome missing = drop({gguf_file("x-00001-of-00009.gguf", part(0, 9, "a"))});
  EXPECT_EQ(missing.message, "Parts 2, 3, 4, 5, 6 and 3 more of 9 are missing: expected `x-00002-of-00009.gguf` beside the others.");
  EXPECT_EQ(drop({gguf_file("x-00002-of-00002.gguf", part(1, 3, "b")), gguf_file("x-00001-of-00002.gguf", part(0, 2, "a"))}).code, "parts_differ");
  EXPECT_EQ(drop({gguf_file("x-00002-of-00002.gguf", part(0, 2, "b")), gguf_file("x-00001-of-00002.gguf", part(0, 2, "a"))}).code, "parts_differ");
  EXPECT_EQ(drop({gguf_file("x-00002-of-00002.gguf", part(1, 2, "a")), gguf_file("x-00001-of-00002.gguf", part(0, 2, "a"))}).code, "duplicate");
  EXPECT_EQ(drop({gguf_file("renamed.gguf", part(0, 2, "a"))}).code, "parts_missing");
}

TEST(ReadSession, SeveralModelsAreRefused) {
  const GgufWriter writer = part(0, 1, "a");
  EXPECT_EQ(drop({gguf_file("a.gguf", writer), gguf_file("b.gguf", writer)}).code, "several_models");
  EXPECT_EQ(drop({gguf_file("a.gguf", writer), shard("model.safetensors", "a")}).code, "several_models");
  EXPECT_EQ(drop({shard("x.safetensors", "a"), shard("y.safetensors", "a")}).code, "several_models");
  EXPECT_EQ(drop({text_file("a/config.json", kConfig), text_file("b/config.json", kConfig)}).code, "several_models");
  const Outcome projector = drop({gguf_file("mmproj-a.gguf", writer), gguf_file("a.gguf", writer)});
  ASSERT_TRUE(projector.read) << projector.message;
  EXPECT_TRUE(projector.warns("file_ignored"));
  const Outcome twice = drop({shard("consolidated.safetensors", "a"), shard("model.safetensors", "a")});
  ASSERT_TRUE(twice.read) << twice.message;
  EXPECT_EQ(twice.read->weights_bytes(), Bytes(4));
}

TEST(ReadSession, OtherFilesAreNoModel) {
  const Outcome outcome = drop({text_file("notes.pdf", "x")});
  EXPECT_EQ(outcome.code, "wrong_type");
  EXPECT_EQ(outcome.message, "We read config.json, .gguf and .safetensors. `notes.pdf` is none of these.");
  EXPECT_EQ(drop({}).code, "wrong_type");
  EXPECT_EQ(drop({text_file("config.json", "")}).code, "invalid_json");
  EXPECT_EQ(drop({text_file("config.json", "{'a':1}")}).code, "invalid_json");
  EXPECT_EQ(drop({text_file("config.json", "[]")}).code, "wrong_type");
  EXPECT_EQ(drop({text_file("config.json", "version https://git-lfs.github.com/spec/v1\n")}).code, "git_lfs_pointer");
}

TEST(ReadSession, ARepositoryIsFollowedFromItsIndex) {
  const std::vector<DiskFile> repository{text_file("config.json", kConfig), text_file("model.safetensors.index.json", kIndex),
                                         shard("model-00001-of-00002.safetensors", "a"), shard("model-00002-of-00002.safetensors", "b"),
                                         shard("model.safetensors", "a")};
  const Outcome outcome = fetch(repository, kFirstNames);
  ASSERT_TRUE(outcome.read) << outcome.message;
  EXPECT_EQ(outcome.read->safetensors.size(), 2U);
  EXPECT_EQ(outcome.asked.size(), 4U);
  EXPECT_TRUE(
      std::none_of(outcome.asked.begin(), outcome.asked.end(), [](const std::string& piece) { return piece.starts_with("model.safetensors 0"); }));
  EXPECT_EQ(fetch({repository[0], repository[1], repository[2]}, kFirstNames).read->weights_from, WeightsFrom::index);
}

TEST(ReadSession, WithoutAnIndexTheSingleFileIsAskedFor) {
  const Outcome outcome = fetch({text_file("config.json", kConfig), shard("model.safetensors", "a")}, kFirstNames);
  ASSERT_TRUE(outcome.read) << outcome.message;
  EXPECT_EQ(outcome.read->weights_bytes(), Bytes(4));
  const Outcome config = fetch({text_file("config.json", kConfig)}, kFirstNames);
  ASSERT_TRUE(config.read) << config.message;
  EXPECT_FALSE(config.read->weights_bytes());
  EXPECT_EQ(fetch({}, kFirstNames).code, "nothing_found");
}

TEST(ReadSession, ARemotePartBringsTheOthers) {
  const std::vector<DiskFile> repository{gguf_file("x-00001-of-00002.gguf", part(0, 2, "a")), gguf_file("x-00002-of-00002.gguf", part(1, 2, "b"))};
  const Outcome outcome = fetch(repository, {"x-00002-of-00002.gguf"});
  ASSERT_TRUE(outcome.read) << outcome.message;
  EXPECT_EQ(outcome.read->gguf.size(), 2U);
  EXPECT_EQ(fetch({repository[1]}, {"x-00002-of-00002.gguf"}).code, "file_missing");
}

TEST(ReadSession, AFileOfUnknownSizeEndsWithAShortPiece) {
  Result<ReadSession> session = ReadSession::open({{"config.json", {}}}, true);
  ASSERT_TRUE(session);
  ASSERT_TRUE(session->push("config.json", {}, 0, kConfig));
  EXPECT_TRUE(session->done());
}

TEST(ReadSession, PiecesMayOverlapButNotLeaveHoles) {
  const std::string file = part(0, 1, "a").header();
  Result<ReadSession> session = ReadSession::open({{"x.gguf", file.size() + 32}}, false);
  ASSERT_TRUE(session);
  ASSERT_TRUE(session->push("x.gguf", {}, 0, std::string_view(file).substr(0, 50)));
  EXPECT_EQ(session->push("x.gguf", {}, 60, std::string_view(file).substr(60)).error().code, "wrong_offset");
  EXPECT_EQ(session->push("y.gguf", {}, 60, "x").error().code, "unknown_file");
  ASSERT_TRUE(session->push("x.gguf", {}, 10, std::string_view(file).substr(10)));
  EXPECT_TRUE(session->done());
}

TEST(ReadSession, AFileThatChangesIsRefused) {
  Result<ReadSession> session = ReadSession::open({{"x.gguf", 1000}}, false);
  ASSERT_TRUE(session);
  EXPECT_EQ(session->push("x.gguf", 999, 0, "GGUF").error().code, "file_changed");
  EXPECT_TRUE(session->needs().empty());
  EXPECT_EQ(session->push("x.gguf", 1000, 0, "GGUF").error().code, "file_changed");
}

TEST(ReadSession, OneBrokenShardEndsTheReading) {
  const Outcome outcome = drop(
      {shard("model-00001-of-00002.safetensors", "a"), text_file("model-00002-of-00002.safetensors", "<!DOCTYPE html><html></html>")});
  EXPECT_EQ(outcome.code, "web_page");
}

class ReadMethod : public ::testing::Test {
 protected:
  Json call(const char* method, const Json& params) { return testing::parse(api_.call(Json{{"method", method}, {"params", params}}.dump())); }
  Json push(const Json& handle, const char* file, std::int64_t size, std::int64_t offset, std::string_view bytes) {
    return testing::parse(api_.push(handle.get<std::int64_t>(), file, size, offset, bytes));
  }
  Api api_{reading()};
};

TEST_F(ReadMethod, OpenPushAndClose) {
  GgufWriter writer;
  writer.text("general.architecture", "llama").text("general.name", "Small").tensor("t", {256, 2}, 12, 288).tensor("n", {8}, 0, 32);
  const std::string file = writer.header();
  const auto size = static_cast<std::int64_t>(writer.file_bytes());
  const Json opened = call("read.open", {{"files", Json::array({{{"name", "x.gguf"}, {"size_bytes", size}}})}});
  ASSERT_EQ(opened["ok"], true) << opened;
  const Json& handle = opened["result"]["handle"];
  EXPECT_EQ(opened["result"]["needs"], Json::array({{{"file", "x.gguf"}, {"offset", 0}, {"bytes", size}}}));
  EXPECT_EQ(opened["result"]["progress"], testing::parse(R"({"files":1,"done":0,"read_bytes":0})"));
  const Json more = push(handle, "x.gguf", size, 0, std::string_view(file).substr(0, 40));
  EXPECT_EQ(more["result"]["needs"][0]["offset"], 40);
  const Json done = push(handle, "x.gguf", size, 40, std::string_view(file).substr(40));
  ASSERT_EQ(done["result"]["done"], true) << done;
  EXPECT_EQ(done["result"]["kind"], "gguf");
  EXPECT_EQ(done["result"]["architecture"], "llama");
  EXPECT_EQ(done["result"]["weights"], testing::parse(R"({"from":"headers","bytes":320,"tensors":2,"elements":520,
    "types":[{"type":"q4_K","tensors":1,"bytes":288},{"type":"f32","tensors":1,"bytes":32}]})"));
  EXPECT_EQ(push(handle, "x.gguf", size, 0, "")["result"], done["result"]);
  EXPECT_EQ(call("read.close", {{"handle", handle}})["ok"], true);
  EXPECT_EQ(call("read.close", {{"handle", handle}})["error"]["code"], "unknown_handle");
  EXPECT_EQ(push(handle, "x.gguf", size, 0, "")["error"]["code"], "unknown_handle");
}

TEST_F(ReadMethod, LayersMayComeWithAFileThatDoesNotDescribeThem) {
  GgufWriter writer;
  writer.text("general.architecture", "foo_bar").tensor("token_embd.weight", {256, 2}, 0, 2048);
  const std::string file = writer.header();
  const auto size = static_cast<std::int64_t>(writer.file_bytes());
  Json params{{"files", Json::array({{{"name", "x.gguf"}, {"size_bytes", size}}})}};
  const auto read = [&] { return push(call("read.open", params)["result"]["handle"], "x.gguf", size, 0, file); };
  const Json unknown = read();
  EXPECT_EQ(unknown["result"]["model"], nullptr);
  EXPECT_EQ(unknown["warnings"][0]["code"], "unknown_architecture");
  params["layers"] = {{"n_layers", 4}, {"n_kv_heads", 2}, {"head_dim", 64}};
  const Json given = read();
  ASSERT_EQ(given["ok"], true) << given;
  EXPECT_EQ(given["warnings"][0]["code"], "given_layers");
  EXPECT_EQ(given["result"]["model"]["n_layers"], 4);
  // The counting build takes the spec as it takes any other.
  const Json answer = call("estimate", {{"model", {{"spec", given["result"]["spec"]}}},
                                        {"hardware", Json::array({{{"memory_bytes", 1 << 30}, {"count", 1}}})},
                                        {"engine", {{"name", "llama.cpp"}}},
                                        {"workload", {{"context_tokens", 1024}, {"sequences", 1}}}});
  ASSERT_EQ(answer["ok"], true) << answer;
  EXPECT_EQ(answer["result"]["devices"][0]["terms"][1]["bytes"], 4 * 2 * 2 * 64 * 2 * 1024);
  for (const char* key : {"n_layers", "n_kv_heads", "head_dim"}) {
    Json wrong = params;
    wrong["layers"][key] = 0;
    EXPECT_EQ(call("read.open", wrong)["error"]["where"], std::string("params.layers.") + key);
  }
}

TEST_F(ReadMethod, AFileMayBeSaidToBeAbsent) {
  const Json opened = call("read.open", {{"remote", true}, {"files", Json::array({{{"name", "config.json"}}, {{"name", "model.safetensors"}}})}});
  const Json& handle = opened["result"]["handle"];
  EXPECT_EQ(opened["result"]["needs"].size(), 2U);
  EXPECT_EQ(push(handle, "model.safetensors", Api::kAbsent, 0, "")["result"]["needs"].size(), 1U);
  const Json done = push(handle, "config.json", Api::kUnknownSize, 0, embedded("deepseek-r1.config.json"));
  ASSERT_EQ(done["ok"], true) << done;
  EXPECT_EQ(done["result"]["kind"], "config");
  EXPECT_EQ(done["result"]["model"]["checkpoint_bytes"], 688'574'839'360);
  EXPECT_EQ(done["result"]["has_config"], true);
  EXPECT_EQ(done["result"]["weights"]["bytes"], nullptr);
}

TEST_F(ReadMethod, AConfigThatIsNoModelKeepsItsError) {
  const Json opened = call("read.open", testing::parse(R"({"files":[{"name":"config.json"}]})"));
  for (int i = 0; i < 2; ++i) {
    const Json done = push(opened["result"]["handle"], "config.json", Api::kUnknownSize, 0, kConfig);
    EXPECT_EQ(done["error"]["code"], "missing_key") << done;
  }
}

TEST_F(ReadMethod, WrongParamsNameTheKey) {
  for (const char* params :
       {"5", "{}", R"({"files":5})", R"({"files":[5]})", R"({"files":[{"name":5}]})", R"({"files":[{"name":"config.json","size_bytes":-1}]})",
        R"({"files":[{"name":"config.json","size_bytes":1e300}]})", R"({"files":[{"name":"config.json"}],"remote":1})"}) {
    const Json answer = call("read.open", testing::parse(params));
    ASSERT_EQ(answer["ok"], false) << params;
    EXPECT_FALSE(answer["error"]["values"]["key"].get<std::string>().empty()) << params;
  }
  const Json opened = call("read.open", testing::parse(R"({"files":[{"name":"config.json","size_bytes":10}]})"));
  EXPECT_EQ(push(opened["result"]["handle"], "config.json", -3, 0, "")["error"]["code"], "out_of_range");
  EXPECT_EQ(push(opened["result"]["handle"], "config.json", 10, -1, "")["error"]["code"], "out_of_range");
  EXPECT_EQ(call("read.close", testing::parse("5"))["error"]["code"], "unknown_handle");
}

TEST_F(ReadMethod, ABuildThatOnlyCountsDoesNotKnowIt) {
  Api api;
  EXPECT_EQ(testing::parse(api.call(R"({"method":"read.open"})"))["error"]["code"], "unknown_method");
}

TEST_F(ReadMethod, ForgottenReadingsDoNotPileUp) {
  const Json params = testing::parse(R"({"files":[{"name":"config.json","size_bytes":10}]})");
  for (int i = 0; i < 16; ++i) EXPECT_EQ(call("read.open", params)["ok"], true);
  EXPECT_EQ(call("read.open", params)["error"]["code"], "too_many_sessions");
}

}  // namespace
}  // namespace weighbridge::read_session_test
