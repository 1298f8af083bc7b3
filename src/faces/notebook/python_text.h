#pragma once

#include <string>
#include <string_view>

#include "trace/trace.h"

namespace limelight {

/// A text as a Python expression in ASCII: a string literal, or bytes decoded.
std::string python_literal(std::string_view text);

/// A text as Markdown that shows it: no character of it is markup, mathematics or HTML.
std::string markdown_text(std::string_view text);

/// The NumPy expression that makes a tensor from others of its trace, in terms of the notebook's
/// preamble: "t['layer.0.head.1.query'] @ t['layer.0.head.1.key'].T". REQUIRES: it is not given.
std::string numpy_expression(const Trace& trace, const TraceTensor& tensor);

}  // namespace limelight
