#include "cli/train_progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace limelight::cli {
namespace {

using Seconds = std::chrono::duration<double>;

std::string time_text(double seconds) {
  const long whole = std::lround(seconds);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string bar(double share) {
  constexpr int kWidth = 24;
  const int filled = static_cast<int>(share * kWidth);
  std::string text;
  for (int i = 0; i < kWidth; ++i) text += i < filled ? "█" : "░";
  return text;
}

}  // namespace

TrainProgress::TrainProgress(const TrainingPlan& plan)
    : plan_(plan), on_terminal_(isatty(STDERR_FILENO) != 0) {}

void TrainProgress::on_stage(const std::string& what) { say(what + " ..."); }

void TrainProgress::on_start(const TransformerConfig& config, std::size_t parameters,
                             const Corpus& corpus, std::int64_t first_step) {
  say(fmt::format("text: {:.1f} MB, {} tokens to learn from, {} to validate on; vocabulary {}",
                  static_cast<double>(corpus.text_bytes) / 1e6, corpus.training.size(),
                  corpus.validation.size(), config.vocab_size));
  say(fmt::format("model: {} layers, {} heads, width {}, window {}: {:.2f} M parameters",
                  config.num_layers, config.num_heads, config.width, config.context_length,
                  static_cast<double>(parameters) / 1e6));
  if (first_step > 0) say(fmt::format("resumed after step {}", first_step));
  first_step_ = steps_done_ = first_step;
  start_ = shown_ = Clock::now();
}

void TrainProgress::on_step(std::int64_t step, const Trainer::StepResult& result) {
  const bool first = step == first_step_;
  smoothed_loss_ = first ? result.loss : 0.95 * smoothed_loss_ + 0.05 * result.loss;
  learning_rate_ = result.learning_rate;
  steps_done_ = step + 1;
  const Seconds since_shown = Clock::now() - shown_;
  const Seconds interval(on_terminal_ ? 0.1 : 15.0);
  if (!first && since_shown < interval && steps_done_ < plan_.steps) return;
  shown_ = Clock::now();
  const char* format = on_terminal_ ? "\r\x1b[K%s" : "%s\n";
  std::fprintf(stderr, format, status_line(steps_done_).c_str());
  if (on_terminal_ && steps_done_ == plan_.steps) std::fputc('\n', stderr);
}

std::string TrainProgress::status_line(std::int64_t steps_done) const {
  const double share = static_cast<double>(steps_done) / static_cast<double>(plan_.steps);
  const double elapsed = Seconds(Clock::now() - start_).count();
  const double left = elapsed / static_cast<double>(steps_done - first_step_) *
                      static_cast<double>(plan_.steps - steps_done);
  return fmt::format("{} {}/{}  loss {:.4f}  rate {:.2e}  {:.0f} tokens/s  {} left", bar(share),
                     steps_done, plan_.steps, smoothed_loss_, learning_rate_, tokens_per_second(),
                     time_text(left));
}

double TrainProgress::tokens_per_second() const {
  const double elapsed = std::max(1e-9, Seconds(Clock::now() - start_).count());
  const auto tokens =
      (steps_done_ - first_step_) * plan_.accumulate * plan_.batch_size * plan_.context_length;
  return static_cast<double>(tokens) / elapsed;
}

void TrainProgress::on_validation(std::int64_t step, double loss) {
  say(fmt::format("step {}: validation loss {:.4f} (perplexity {:.2f})", step, loss,
                  std::exp(loss)));
}

void TrainProgress::on_checkpoint(std::int64_t step) {
  say(fmt::format("step {}: checkpoint written", step));
}

void TrainProgress::say(const std::string& line) {
  std::fprintf(stderr, on_terminal_ ? "\r\x1b[K%s\n" : "%s\n", line.c_str());
}

}  // namespace limelight::cli
