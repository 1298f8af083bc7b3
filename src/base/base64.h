#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace limelight {

/// The bytes in base64 (RFC 4648, with padding).
std::string base64(std::span<const std::byte> bytes);

}  // namespace limelight
