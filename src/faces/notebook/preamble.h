#pragma once

namespace limelight {

/// What the cells of a story's notebook are written in: `t`, `agree`, `show`, `softmax`, ... Python
/// that needs NumPy alone. It expects STORED, TOKENS and WORD to be there.
extern const char* const kNotebookPreamble;

/// What the last cell of it asserts.
extern const char* const kNotebookInvariants;

}  // namespace limelight
