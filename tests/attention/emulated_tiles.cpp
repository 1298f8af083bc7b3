// With LIMELIGHT_TEST_TILES=emulated every test of this program runs with the emulated tile unit in
// the place of the processor's: what is said of the operator holds on tiles too, on any machine.

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/instruction_set.h"

namespace limelight::test {
namespace {

class EmulatedTiles : public testing::Environment {
 public:
  void SetUp() override {
    const char* wanted = std::getenv("LIMELIGHT_TEST_TILES");
    if (wanted && std::string_view(wanted) == "emulated") unit_.emplace(&tiles::emulated_unit());
  }
  void TearDown() override { unit_.reset(); }

 private:
  std::optional<TileUnitForTest> unit_;
};

const auto* const registered = testing::AddGlobalTestEnvironment(new EmulatedTiles);

}  // namespace
}  // namespace limelight::test
