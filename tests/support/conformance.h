#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace limelight::test {

/// The folder `name` of the conformance material (LIMELIGHT_CONFORMANCE, else beside the project).
/// An empty path where it is absent: such a test says GTEST_SKIP.
std::filesystem::path conformance_folder(const std::string& name);

/// The sorted names of the sub-folders of `folder`; none when it is absent.
std::vector<std::string> list_folders(const std::filesystem::path& folder);

/// The whole file as bytes. Throws std::runtime_error when it cannot be read.
std::string read_file(const std::filesystem::path& path);

}  // namespace limelight::test
