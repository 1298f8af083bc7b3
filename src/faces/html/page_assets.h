#pragma once

#include <string_view>

namespace limelight {

/// The files of assets/, joined and embedded when the library is built.
extern const std::string_view kPageTemplate;
extern const std::string_view kStoryStyle;
extern const std::string_view kStoryScript;

}  // namespace limelight
