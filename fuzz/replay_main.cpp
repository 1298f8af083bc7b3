// Runs a fuzz target without libFuzzer: every file of the seed folders given as arguments, then a
// fixed number of mutations of each, drawn from a fixed seed, so that a failure repeats.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr int kMutationsPerSeed = 2000;
constexpr std::size_t kLargestMutated = 1 << 16;

void run(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

std::string mutate(std::string bytes, std::mt19937& random) {
  const auto below = [&](std::size_t limit) { return limit ? random() % limit : 0; };
  const int edits = 1 + static_cast<int>(below(4));
  for (int edit = 0; edit < edits; ++edit) {
    const std::size_t at = below(bytes.size() + 1);
    switch (below(5)) {
      case 0:
        bytes.insert(at, 1, static_cast<char>(random()));
        break;
      case 1:
        if (at < bytes.size()) bytes[at] = static_cast<char>(random());
        break;
      case 2:
        if (at < bytes.size()) bytes[at] ^= static_cast<char>(1u << below(8));
        break;
      case 3:
        bytes.erase(at, below(16));
        break;
      default:
        bytes.insert(at, bytes.substr(below(bytes.size() + 1), below(32)));
    }
  }
  return bytes;
}

std::vector<std::string> read_seeds(int argc, char** argv) {
  std::vector<std::string> seeds = {""};
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  }
  return seeds;
}

}  // namespace

int main(int argc, char** argv) {
  std::mt19937 random(20170612);
  long runs = 0;
  for (const std::string& seed : read_seeds(argc, argv)) {
    run(seed);
    ++runs;
    if (seed.size() > kLargestMutated) continue;
    for (int i = 0; i < kMutationsPerSeed; ++i, ++runs) run(mutate(seed, random));
  }
  std::printf("%ld inputs, none crashed\n", runs);
  return 0;
}
