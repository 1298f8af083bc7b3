// Fused attention as a share of the multiply-add rate measured beside it, and beside its peers.
// Counted are the products that the mathematics needs on what is visible: two for the forward, five
// for the backward (scores are computed again).
//
//   attention_benchmark [--only f32|tiles|beside|cost] [--onnxruntime COMMAND]
//
// COMMAND HEADS LENGTH HEAD_DIM full|causal THREADS REPETITIONS prints the seconds that
// onnxruntime's Attention and MultiHeadAttention take: benchmarks/peers/onnxruntime.

#include <fmt/format.h>
#include <malloc.h>
#include <omp.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "attention/kernels/amx/strip_sizes.h"
#include "base/instruction_set.h"
#include "benchmarks/attention_problem.h"
#include "benchmarks/ceilings.h"
#include "benchmarks/idle_unit.h"
#include "benchmarks/measure.h"

namespace {

using namespace limelight;
using bench::AttentionExtents;
using bench::AttentionProblem;

std::string name_of(const AttentionExtents& extents) {
  return fmt::format("{:>7} {:>5} {:>7}", extents.length, extents.head_dim,
                     extents.causal ? "causal" : "full");
}

int repetitions_of(const AttentionExtents& extents) { return extents.length > 4096 ? 2 : 7; }

struct PeerSeconds {
  std::optional<double> attention, multi_head;
};

/// What onnxruntime needs for the same, on all threads.
PeerSeconds onnxruntime_seconds(const std::string& command, const AttentionExtents& extents) {
  const std::string line = fmt::format(
      "{} {} {} {} {} {} {}", command, bench::kHeads, extents.length, extents.head_dim,
      extents.causal ? "causal" : "full", bench::all_threads(), repetitions_of(extents));
  char attention[32] = "-";
  char multi_head[32] = "-";
  if (std::FILE* output = ::popen(line.c_str(), "r")) {
    if (std::fscanf(output, "%31s %31s", attention, multi_head) != 2) attention[0] = '-';
    ::pclose(output);
  }
  const auto number = [](const char* word) {
    return *word == '-' ? std::nullopt : std::optional(std::atof(word));
  };
  return {number(attention), number(multi_head)};
}

std::string ratio_to(std::optional<double> peer, double own) {
  return peer ? fmt::format("{:>6.2f}", *peer / own) : fmt::format("{:>6}", "-");
}

/// GFLOP/s and the share of the ceiling, with one thread and with all.
std::string rates(const AttentionExtents& extents, int products, double& seconds,
                  bench::Rate (*ceiling_rate)(int threads), const std::function<void()>& body) {
  const int all = bench::all_threads();
  double rate[2];
  std::string line;
  for (const bool many : {false, true}) {
    omp_set_num_threads(many ? all : 1);
    const double ceiling = ceiling_rate(many ? all : 1).median;
    seconds = bench::measure(body, repetitions_of(extents)).median;
    rate[many] = extents.flops(products) / seconds;
    line += fmt::format(" {:>6.1f} {:>3.0f} %", rate[many] / 1e9, 100 * rate[many] / ceiling);
  }
  return line + fmt::format(" {:>5.2f} ", rate[1] / rate[0]);
}

void report_speed(const AttentionExtents& extents, const std::string& onnxruntime) {
  AttentionProblem problem(extents);
  double forward = 0;
  double backward = 0;
  fmt::print("{} |{}|", name_of(extents),
             rates(extents, 2, forward, bench::multiply_add_rate, [&] { problem.forward(); }));
  std::fflush(stdout);
  const PeerSeconds peer =
      onnxruntime.empty() ? PeerSeconds() : onnxruntime_seconds(onnxruntime, extents);
  std::optional<double> unfused;
  if (!extents.causal && extents.length <= 4096) {
    unfused = bench::measure([&] { problem.unfused(); }).median;
  }
  fmt::print("{}|{} {} {}\n",
             rates(extents, 5, backward, bench::multiply_add_rate, [&] { problem.backward(); }),
             ratio_to(peer.attention, forward), ratio_to(peer.multi_head, forward),
             ratio_to(unfused, forward));
  std::fflush(stdout);
}

/// In bf16 on tiles, as a share of the rate of tile products alone.
void report_tiles() {
  fmt::print(
      "\nForward and backward in bf16 on tiles ({}), share of the rate of tile products "
      "alone.\n\n",
      instruction_set());
  if (tile_unit() == nullptr) {
    fmt::print("this machine has no tile unit: {}\n", reason_for_tile_unit());
    return;
  }
  for (const std::int64_t length : {2048, 8192}) {
    for (const std::int64_t head_dim : {64, 128}) {
      for (const bool causal : {false, true}) {
        const AttentionExtents extents = {length, head_dim, causal};
        bench::AttentionProblemOf<bfloat16> problem(extents);
        double seconds = 0;
        fmt::print("{} |{}|{}\n", name_of(extents),
                   rates(extents, 2, seconds, bench::tile_rate, [&] { problem.forward(); }),
                   rates(extents, 5, seconds, bench::tile_rate, [&] { problem.backward(); }));
        std::fflush(stdout);
      }
    }
  }
}

/// What the tile kernels take beside the products, with a unit that does nothing.
void report_beside() {
  constexpr std::int64_t kLength = 4096;
  constexpr double kStrips =
      static_cast<double>(bench::kHeads * kLength * kLength) / amx::kStripScores;
  fmt::print(
      "\nThe kernels on tiles without their products, one thread, {} tokens: nanoseconds for {} "
      "keys and {} queries.\n\n",
      kLength, amx::kStripKeys, amx::kQueryRows);
  const TileUnitForTest idle(&bench::idle_unit());
  omp_set_num_threads(1);
  for (const std::int64_t head_dim : {64, 128}) {
    const AttentionExtents extents = {kLength, head_dim, false};
    bench::AttentionProblemOf<bfloat16> problem(extents);
    const auto nanoseconds = [](const bench::Seconds& seconds) {
      return 1e9 * seconds.fastest / kStrips;
    };
    fmt::print("{} | forward {:>6.0f} | backward {:>6.0f}\n", name_of(extents),
               nanoseconds(bench::measure([&] { problem.forward(); })),
               nanoseconds(bench::measure([&] { problem.backward(); })));
    std::fflush(stdout);
  }
}

/// Of this process, in bytes.
double resident_memory() {
  std::ifstream statm("/proc/self/statm");
  double pages = 0;
  statm >> pages >> pages;
  return pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

/// What a call takes beside inputs and outputs, which are all in memory before it: scratch memory
/// stays with the calling thread, so what a new thread's first call leaves is the most it had.
double memory_of(const std::function<void()>& body) {
  double bytes = 0;
  std::thread([&] {
    const double before = resident_memory();
    body();
    bytes = resident_memory() - before;
  }).join();
  return bytes;
}

void report_cost(const AttentionExtents& extents) {
  constexpr double kMiB = 1 << 20;
  AttentionProblem problem(extents);
  omp_set_num_threads(bench::all_threads());
  const double forward_memory = memory_of([&] { problem.forward(); });
  const double backward_memory = memory_of([&] { problem.backward(); });
  const double packed = 4.0 * 2 * static_cast<double>(bench::kHeads * extents.head_dim) *
                        static_cast<double>(extents.length);
  const double forward = bench::measure([&] { problem.forward(); }, 3).median;
  const double backward = bench::measure([&] { problem.backward(); }, 3).median;
  const double queries = static_cast<double>(extents.length);
  fmt::print("{} {:>7} | {:>9.3f} {:>9.2f} {:>9.3f} {:>9.2f} | {:>9.1f} {:>9.1f} {:>9.1f}\n",
             name_of(extents), extents.window > 0 ? fmt::format("{}", extents.window) : "-",
             forward, 1e6 * forward / queries, backward, 1e6 * backward / queries,
             forward_memory / kMiB, backward_memory / kMiB, packed / kMiB);
  std::fflush(stdout);
}

/// In f32, beside its peers.
void report_f32(const std::string& onnxruntime) {
  const int all = bench::all_threads();
  fmt::print(
      "Attention in f32, {} heads, one and {} threads: GFLOP/s and share of the "
      "multiply-add rate measured beside it.\nTimes faster, on {} threads, than "
      "onnxruntime's Attention, its MultiHeadAttention, and oneDNN's products unfused.\n\n",
      bench::kHeads, all, all);
  fmt::print("{:>7} {:>5} {:>7} | {:<30} | {:<30} | {:>5} {:>6} {:>6}\n", "length", "dim", "mask",
             "forward: one, all, ratio", "backward: one, all, ratio", "ort", "mha", "oneDNN");
  for (const std::int64_t length : {2048, 8192}) {
    for (const std::int64_t head_dim : {64, 128}) {
      for (const bool causal : {false, true}) {
        report_speed({length, head_dim, causal}, onnxruntime);
      }
    }
  }
}

void report_costs() {
  fmt::print(
      "\nCost against length, and memory beside inputs and outputs, {} threads: seconds, "
      "microseconds a query,\nMiB beside, and MiB that one packed copy of key and value "
      "takes.\n\n",
      bench::all_threads());
  fmt::print("{:>7} {:>5} {:>7} {:>7} | {:>9} {:>9} {:>9} {:>9} | {:>9} {:>9} {:>9}\n", "length",
             "dim", "mask", "window", "forward", "a query", "backward", "a query", "forward",
             "backward", "packed");
  for (const std::int64_t length : {2048, 4096, 8192}) report_cost({length, 64, false});
  for (const std::int64_t length : {8192, 32768, 131072}) report_cost({length, 64, true, 1024});
}

}  // namespace

int main(int argc, char** argv) {
  std::string only, onnxruntime;
  for (int i = 1; i < argc; i += 2) {
    const std::string flag = argv[i];
    if (i + 1 == argc || (flag != "--only" && flag != "--onnxruntime")) {
      fmt::print(
          stderr,
          "usage: attention_benchmark [--only f32|tiles|beside|cost] [--onnxruntime COMMAND]\n");
      return 2;
    }
    (flag == "--only" ? only : onnxruntime) = argv[i + 1];
  }
  const std::set<std::string> known = {"", "f32", "tiles", "beside", "cost"};
  if (!known.contains(only)) {
    fmt::print(stderr,
               "attention_benchmark: --only: expected f32, tiles, beside or cost; found: {}\n",
               only);
    return 2;
  }
  const auto wanted = [&](const char* part) { return only.empty() || only == part; };
  // Scratch memory goes back to the system when it is freed, so that memory_of sees it come again.
  ::mallopt(M_MMAP_THRESHOLD, 64 << 10);
  if (wanted("f32")) report_f32(onnxruntime);
  if (wanted("tiles")) report_tiles();
  if (wanted("beside")) report_beside();
  if (wanted("cost")) report_costs();
}
