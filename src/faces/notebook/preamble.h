#pragma once

namespace limelight {

/// What the cells of a story's notebook are written in: `t`, `agree`, `show`, `softmax`, ... Python
/// that needs NumPy alone. It expects STORED, TOKENS, WORD and BUG to be there.
extern const char* const kNotebookPreamble;

/// What the last cell of it asserts; and what it is where the run is wrong on purpose.
extern const char* const kNotebookInvariants;
extern const char* const kNotebookDamage;

}  // namespace limelight
