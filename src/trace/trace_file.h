#pragma once

#include <limelight/result.h>

#include <filesystem>
#include <map>
#include <string>

#include "base/prepared_output.h"
#include "checkpoint/safetensors.h"
#include "trace/trace.h"

namespace limelight {

/// Writes a trace as a safetensors file that is there complete or not at all. Each tensor is F32
/// under its own name; the metadata has `limelight.trace`, a JSON object that names the axes:
///
///   {"ids": [...], "tensors": [{"name", "axes": [...], "rows": [...] where not all tokens are
///   kept,
///    "recipe": {"operation", "operands", "factor"} where it was made from others}, ...]}
///
/// and `notes` beside it (the text, the hash of the story, ...).
Status save_trace(const std::filesystem::path& path, const Trace& trace,
                  const std::map<std::string, std::string>& notes = {});
/// The same, but for putting it in place.
Preparation prepare_trace(const std::filesystem::path& path, const Trace& trace,
                          const std::map<std::string, std::string>& notes = {});

/// A trace from a file, and the notes beside it.
struct TraceFile {
  Trace trace;  ///< owns its numbers
  std::map<std::string, std::string> notes;
};

/// Reads what save_trace wrote, untrusted: names, extents, rows and recipes are checked.
Result<TraceFile> open_trace(const std::filesystem::path& path);
/// The same of an opened file; `what` names it in messages.
Result<TraceFile> read_trace(const SafetensorsFile& file, const std::string& what);

}  // namespace limelight
