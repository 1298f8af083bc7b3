// A config.json of any bytes is refused in one line, or gives a model that can be allocated, whose
// own config.json reads back as the same.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "checkpoint/gpt2_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = limelight::parse_gpt2_config(text, "fuzz");
  if (!config) {
    if (config.message().empty() || config.message().find('\n') != std::string::npos) std::abort();
    return 0;
  }
  const std::int64_t parameters = limelight::count_parameters(*config);
  if (parameters < 1 || parameters > limelight::kMaxParameters) std::abort();
  const auto again = limelight::parse_gpt2_config(limelight::to_json(*config, {}), "again");
  if (!again.ok() || *again != *config) std::abort();
  return 0;
}
