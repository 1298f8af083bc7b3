#pragma once

#include <string>
#include <vector>

#include "story/story.h"
#include "training/senses/sense_grammar.h"

namespace limelight {

/// One sentence for each meaning that the grammar knows of the word, the telling context before it;
/// none where the grammar does not know the word. The same sentences every time.
std::vector<Companion> sense_companions(const SenseGrammar& grammar, const std::string& word);

}  // namespace limelight
