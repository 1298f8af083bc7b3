#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "story/story.h"

namespace limelight {

/// How much of a tensor a page holds.
enum class PageRows : std::uint8_t {
  all,
  word,  ///< the story's word's row alone
};

/// What a page of a story holds, by the tensors' names: those that the tellings show, and what
/// their cells are made of. Of the telling that comes first all of it, the parameters too; of the
/// others no parameters, and where they show one row alone, and nothing else shown is made of other
/// rows, that row alone. Of a long text the first telling, too, keeps one row where it shows one.
std::map<std::string, PageRows> page_tensors(const Story& story);

}  // namespace limelight
