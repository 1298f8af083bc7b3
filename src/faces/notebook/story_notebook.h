#pragma once

#include <string>

#include "story/story.h"

namespace limelight {

/// A story as a Jupyter notebook (nbformat 4.5) that needs NumPy alone: the twelve steps in order,
/// the told tensors and all that they were made of embedded as float32, and after each table a cell
/// that computes it again in float64, as its recipe says, and asserts that the run's numbers are
/// the same. Text of the story is text in Markdown and in Python, whatever it holds. The metadata
/// name the story's hash.
std::string story_to_notebook(const Story& story);

}  // namespace limelight
