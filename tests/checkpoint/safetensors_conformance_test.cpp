// The format's own test files, and more: manifest.json says which are valid.

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "checkpoint/safetensors.h"
#include "support/conformance.h"

namespace limelight {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path folder() { return test::conformance_folder("safetensors"); }

std::vector<json> cases() {
  if (folder().empty()) return {};
  const json manifest = json::parse(test::read_file(folder() / "manifest.json"));
  return manifest.at("cases").get<std::vector<json>>();
}

class SafetensorsConformance : public testing::TestWithParam<json> {};

TEST_P(SafetensorsConformance, AcceptsOrRefusesAsSaid) {
  const std::string file = GetParam().at("file");
  const fs::path path = folder() / file;
  const auto opened = SafetensorsFile::open(path);
  // "valid": null is what the format's text forbids and its library leaves undefined: refused.
  const bool valid = GetParam().at("valid").is_boolean() && GetParam().at("valid").get<bool>();
  ASSERT_EQ(opened.ok(), valid) << (opened.ok() ? "accepted" : opened.message());
  if (!opened) {
    EXPECT_NE(opened.message().find(file), std::string::npos) << opened.message();
    EXPECT_EQ(opened.message().find('\n'), std::string::npos) << opened.message();
    return;
  }
  for (const std::string& name : opened->names()) {
    const auto tensor = opened->tensor(name);
    ASSERT_TRUE(tensor.ok()) << tensor.message();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor->raw()) % size_of(tensor->dtype()), 0u);
  }
}

TEST_P(SafetensorsConformance, ReadsTheSameFromMemoryAtAnyAlignment) {
  const std::string bytes = test::read_file(folder() / GetParam().at("file").get<std::string>());
  const bool expected = SafetensorsFile::open(folder() / GetParam().at("file")).ok();
  for (std::size_t shift = 0; shift < 8; ++shift) {
    const std::string shifted = std::string(shift, '.') + bytes;
    const auto parsed =
        SafetensorsFile::parse(std::as_bytes(std::span(shifted).subspan(shift)), "memory");
    EXPECT_EQ(parsed.ok(), expected) << shift;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Files, SafetensorsConformance, testing::ValuesIn(cases()), [](const auto& param_info) {
      return fs::path(param_info.param.at("file").template get<std::string>()).stem().string();
    });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SafetensorsConformance);

TEST(SafetensorsConformanceFolder, IsThere) {
  if (folder().empty()) GTEST_SKIP() << "no conformance material";
  EXPECT_FALSE(cases().empty());
}

template <class T>
std::vector<T> values(const fs::path& path, const char* name) {
  const SafetensorsFile file = *SafetensorsFile::open(path);
  const ConstTensorView view = *file.tensor(name);
  EXPECT_EQ(view.dtype(), kDTypeOf<T>);
  return {view.data<T>(), view.data<T>() + view.elements()};
}

TEST(SafetensorsConformanceFolder, ValuesAreWhatTheBytesSay) {
  if (folder().empty()) GTEST_SKIP() << "no conformance material";
  const fs::path unordered = folder() / "extra_unordered_header_ok.safetensors";
  EXPECT_EQ(values<float>(unordered, "a"), std::vector{1.0f});
  EXPECT_EQ(values<float>(unordered, "b"), std::vector{2.0f});
  EXPECT_EQ(values<float>(folder() / "extra_escaped_name_ok.safetensors", "ab\"c"),
            std::vector{0.0f});
  std::vector<float> numbers;
  for (const auto brain : values<bfloat16>(folder() / "extra_bf16_ok.safetensors", "s")) {
    numbers.push_back(static_cast<float>(brain));
  }
  EXPECT_EQ(numbers, (std::vector{1.0f, 2.0f, 3.0f}));
}

TEST(SafetensorsConformanceFolder, OpensEveryTensorOfTheOtherFolders) {
  const fs::path root = test::conformance_folder(".");
  if (root.empty()) GTEST_SKIP() << "no conformance material";
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".safetensors") continue;
    if (entry.path().parent_path().filename() == "safetensors") continue;
    const auto file = SafetensorsFile::open(entry.path());
    ASSERT_TRUE(file.ok()) << file.message();
    for (const std::string& name : file->names()) {
      const auto tensor = file->tensor(name);
      ASSERT_TRUE(tensor.ok()) << tensor.message();
    }
    ++files;
  }
  EXPECT_GT(files, 0);
}

}  // namespace
}  // namespace limelight
