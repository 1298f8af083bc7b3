#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace limelight {

/// A mistake in attention that real code makes, made here on purpose.
enum class Bug : std::uint8_t {
  softmax_over_queries,             ///< the softmax runs down the columns
  scale_by_width,                   ///< scores are divided by sqrt(width), not sqrt(head_dim)
  no_scale,                         ///< scores are the dot products as they are
  mask_after_softmax,               ///< hidden weights are zeroed, the rest left as it is
  mask_after_softmax_renormalised,  ///< the same, then each row is divided by its sum
  finite_mask,                      ///< hidden scores become kFiniteMask, not -infinity
  heads_wrong_axis,                 ///< [tokens, width] is read as [heads, tokens, head_dim]
  no_position,                      ///< the position embedding is not added
};

/// What Bug::finite_mask puts in the place of -infinity. Scores of trained heads lie between about
/// -15 and 10, so this one leaks where it can be seen; -10000 leaks only where a row sees nothing.
inline constexpr float kFiniteMask = -10.0f;

/// What is to be said of a bug, in words that need no run.
struct KnownBug {
  Bug bug;
  std::string_view name;       ///< "softmax_over_queries"
  std::string_view title;      ///< "Softmax over the queries"
  std::string_view text;       ///< one sentence: what is done wrong
  std::string_view wrong;      ///< the line of code, in NumPy's words
  std::string_view right;      ///< what should stand there
  std::string_view recognise;  ///< how to find it in code of one's own
};

/// Every bug, in the order of the enumeration.
inline constexpr std::size_t kBugCount = 8;
const std::array<KnownBug, kBugCount>& known_bugs();
const KnownBug& known_bug(Bug bug);

/// The bug of that name; "-" and "_" are the same. Nothing for another name.
std::optional<Bug> bug_named(std::string_view name);
/// "softmax_over_queries, scale_by_width, ...": for a message that says what there is.
std::string bug_names();

}  // namespace limelight
