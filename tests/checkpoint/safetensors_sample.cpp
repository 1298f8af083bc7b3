// Writes the file that safetensors_reader.py reads: safetensors_sample PATH.

#include <cstdint>
#include <cstdio>
#include <vector>

#include "checkpoint/safetensors.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::vector<float> ramp(6);
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = 0.25f * static_cast<float>(i);
  const std::vector<std::int64_t> ids = {-1, 0, 50256};
  const std::uint8_t flag = 200;
  const double scalar = 3.5;
  using limelight::ConstTensorView;
  const auto status =
      limelight::write_safetensors(argv[1],
                                   {{"ramp", ConstTensorView::of(ramp.data(), {2, 3})},
                                    {"ids", ConstTensorView::of(ids.data(), {3})},
                                    {"a \"flag\"", ConstTensorView::of(&flag, {1, 1})},
                                    {"nothing", ConstTensorView::of(ramp.data(), {0, 3})},
                                    {"größe", ConstTensorView::of(&scalar, {})}},
                                   {{"format", "pt"}});
  if (!status) std::fprintf(stderr, "%s\n", status.message().c_str());
  return status.ok() ? 0 : 1;
}
