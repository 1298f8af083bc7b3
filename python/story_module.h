#pragma once

#include <pybind11/pybind11.h>

namespace limelight::python {

/// Adds what limelight/story.py is made of: StoryTeller, Story, open_trace.
void add_story_classes(pybind11::module_& module);

}  // namespace limelight::python
