#include "training/training_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string>

#include "checkpoint/safetensors.h"

namespace limelight {
namespace {

ConstTensorView flat(std::span<const float> values) {
  return ConstTensorView::of(values.data(), {static_cast<std::int64_t>(values.size())});
}

std::optional<std::uint64_t> parse_number(const std::map<std::string, std::string>& metadata,
                                          const std::string& key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return std::nullopt;
  const std::string& text = found->second;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Status TrainingStateFile::write(const Transformer& model, AdamW& optimizer,
                                std::uint64_t fingerprint) const {
  return write_safetensors(folder / kName,
                           {{"parameters", flat(model.parameters())},
                            {"first_moment", flat(optimizer.first_moment())},
                            {"second_moment", flat(optimizer.second_moment())}},
                           {{"steps", std::to_string(optimizer.updates())},
                            {"text_fingerprint", std::to_string(fingerprint)}});
}

Status TrainingStateFile::read(Transformer& model, AdamW& optimizer,
                               std::uint64_t fingerprint) const {
  const std::string name = (folder / kName).string();
  auto file = SafetensorsFile::open(name);
  if (!file) return file.failure();
  const auto steps = parse_number(file->metadata(), "steps");
  const auto text = parse_number(file->metadata(), "text_fingerprint");
  if (!steps || !text) {
    return Failure{name +
                   ": expected the metadata steps and text_fingerprint; this file was not "
                   "written by limelight train"};
  }
  if (*text != fingerprint) {
    return Failure{
        fmt::format("{}: the text is not the one this run began with (fingerprint {:016x}, now "
                    "{:016x}); restore "
                    "the text files, or start again in another folder",
                    name, *text, fingerprint)};
  }
  std::map<std::string, ConstTensorView> views;
  for (const char* key : {"parameters", "first_moment", "second_moment"}) {
    auto view = file->tensor(key);
    if (!view) return view.failure();
    const auto expected = static_cast<std::int64_t>(model.layout().size());
    if (view->dtype() != DType::f32 || view->rank() != 1 || view->elements() != expected) {
      return Failure{
          fmt::format("{}: {}: expected f32 [{}], found {} {}; the folder's plan and state "
                      "do not belong together",
                      name, key, expected, name_of(view->dtype()), view->shape_string())};
    }
    views[key] = *view;
  }
  const auto restore = [&](const char* key, std::span<float> to) {
    std::copy_n(views[key].data<float>(), to.size(), to.data());
  };
  restore("parameters", model.parameters());
  restore("first_moment", optimizer.first_moment());
  restore("second_moment", optimizer.second_moment());
  optimizer.set_updates(static_cast<std::int64_t>(*steps));
  return success();
}

}  // namespace limelight
