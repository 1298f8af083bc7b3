#include "support/conformance.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace limelight::test {

namespace fs = std::filesystem;

fs::path conformance_folder(const std::string& name) {
  const char* configured = std::getenv("LIMELIGHT_CONFORMANCE");
  const fs::path folder = fs::path(configured ? configured : LIMELIGHT_DEFAULT_CONFORMANCE) / name;
  return fs::is_directory(folder) ? folder : fs::path();
}

std::vector<std::string> list_folders(const fs::path& folder) {
  std::vector<std::string> names;
  if (folder.empty()) return names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace limelight::test
