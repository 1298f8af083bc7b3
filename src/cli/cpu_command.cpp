// limelight cpu: what this processor has, what will be used for what, and why.

#include <fmt/format.h>
#include <omp.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/cpu_features.h"
#include "base/instruction_set.h"
#include "cli/command.h"

namespace limelight::cli {
namespace {

/// What computes a part of the work.
struct Choice {
  const char* work;
  std::string uses;
  std::string reason;
};

std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string reason_of_instruction_set(const std::vector<std::string>& available) {
  const std::string others = "of those compiled in and found: " + joined(available);
  return instruction_set() == available.front() ? "the best " + others
                                                : "named by LIMELIGHT_ISA, " + others;
}

std::string reason_of_onednn(const AmxReport& amx) {
  if (must_cap_onednn(amx)) {
    return "capped below AMX: the tile palettes (CPUID leaf 0x1D) are hidden, and oneDNN would die "
           "at its first tile product";
  }
  return amx.tiles ? "in f32, which has no tiles to use: no cap is needed" : "the best it found";
}

/// All that there is to say.
struct Report {
  std::string processor = cpu_name();
  int threads = omp_get_max_threads();
  std::vector<CpuFeature> features = report_cpu_features();
  // Before one is chosen: where LIMELIGHT_ISA names another, the better ones are then no more.
  std::vector<std::string> available = available_instruction_sets();
  AmxReport amx = report_amx();  // after permission was asked for, where there is AMX
  std::vector<Choice> choices = {
      {"attention, decoding and weights in f32, bf16, f16", instruction_set(),
       reason_of_instruction_set(available)},
      {"attention and weights in f64", "reference", "float64 as it is written to be read"},
      {"linear layers", "oneDNN " + onednn_instruction_set(), reason_of_onednn(amx)},
      {"in bf16 by tiles: attention, forward and backward, and linear layers where asked for",
       tile_unit() ? tile_unit()->name : "none", reason_for_tile_unit()}};
};

nlohmann::ordered_json json_of(const Report& report) {
  const AmxReport& amx = report.amx;
  nlohmann::ordered_json json;
  json["processor"] = report.processor;
  json["threads"] = report.threads;
  json["features"] = nlohmann::ordered_json::array();
  for (const CpuFeature& feature : report.features) {
    json["features"].push_back(
        {{"name", feature.name}, {"reported", feature.reported}, {"enabled", feature.enabled}});
  }
  json["amx"] = {{"tile", amx.tiles},
                 {"bf16", amx.bf16},
                 {"int8", amx.int8},
                 {"palettes", amx.palettes},
                 {"tile_bytes", amx.tile_bytes},
                 {"row_bytes", amx.row_bytes},
                 {"tile_count", amx.tile_count},
                 {"tile_rows", amx.tile_rows},
                 {"kernel_supports", amx.supported},
                 {"process_permitted", amx.permitted}};
  json["instruction_sets"] = report.available;
  json["used"] = nlohmann::ordered_json::array();
  for (const Choice& choice : report.choices) {
    json["used"].push_back(
        {{"work", choice.work}, {"uses", choice.uses}, {"reason", choice.reason}});
  }
  return json;
}

std::string palettes_text(const AmxReport& amx) {
  if (!amx.palettes) {
    return amx.tiles ? "hidden, though tiles are reported" : "none";
  }
  return fmt::format("{} tiles of {} rows of {} bytes", amx.tile_count, amx.tile_rows,
                     amx.row_bytes);
}

std::string permission_text(const AmxReport& amx) {
  if (!amx.supported) return "the kernel keeps no tile data";
  return amx.permitted ? "given to this process" : "not given";
}

void print(const Report& report) {
  fmt::print("{}, {} threads\n\nFound\n", report.processor, report.threads);
  std::vector<std::string> present, disabled, absent;
  for (const CpuFeature& feature : report.features) {
    (feature.enabled ? present : feature.reported ? disabled : absent).push_back(feature.name);
  }
  const auto line = [](const char* what, const std::string& found) {
    fmt::print("  {:<30}  {}\n", what, found.empty() ? "none" : found);
  };
  line("features", joined(present));
  if (!disabled.empty()) line("not enabled by the system", joined(disabled));
  line("not there", joined(absent));
  line("AMX palettes (CPUID 0x1D)", palettes_text(report.amx));
  line("AMX permission (arch_prctl)", permission_text(report.amx));
  fmt::print("\nUsed\n");
  for (const Choice& choice : report.choices) {
    fmt::print("  {}\n      {}: {}\n", choice.work, choice.uses, choice.reason);
  }
}

int run_cpu(const std::string& format) {
  const Report report;
  if (format == "json") {
    fmt::print("{}\n", json_of(report).dump(2));
  } else {
    print(report);
  }
  return kSuccess;
}

}  // namespace

void add_cpu_command(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand(
      "cpu",
      "What this processor has, what will be used for what, and why.\n\n"
      "  LIMELIGHT_ISA=sse4 limelight cpu      another instruction set, if it is there");
  auto format = std::make_shared<std::string>("text");
  command->add_option("--format", *format, "text or json (default text)")
      ->check(CLI::IsMember({"text", "json"}));
  add_threads_option(*command);
  command->callback([format, &exit_status] { exit_status = run_cpu(*format); });
}

}  // namespace limelight::cli
