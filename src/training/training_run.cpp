#include "training/training_run.h"

#include <system_error>

#include "base/atomic_file.h"
#include "model/model_files.h"
#include "training/training_state.h"

namespace limelight {
namespace {

// Separates the draws of training windows from the draws of initial parameters under one seed.
constexpr std::uint64_t kDrawStream = 0x6472617773u;

/// A run in progress: what its parts share.
class Run {
 public:
  Run(const TrainingPlan& plan, const std::filesystem::path& folder, Corpus corpus,
      TrainingObserver& observer)
      : plan_(plan),
        folder_(folder),
        corpus_(std::move(corpus)),
        observer_(observer),
        model_(plan.transformer_config(corpus_.tokenizer.vocab_size())),
        trainer_(model_, plan.optimizer),
        fingerprint_(corpus_.training.fingerprint()) {}

  Status restore_or_initialize(bool resume) {
    const TrainingStateFile state{folder_};
    if (resume && state.exists()) return state.read(model_, trainer_.optimizer(), fingerprint_);
    initialize_parameters(model_.config(), model_.layout(), plan_.seed, model_.parameters().data());
    return success();
  }

  Result<TrainingOutcome> run(const std::atomic<bool>& stop) {
    observer_.on_start(model_.config(), model_.layout().parameter_count(), corpus_,
                       trainer_.steps_done());
    while (trainer_.steps_done() < plan_.steps && !stop) {
      const std::int64_t step = trainer_.steps_done();
      const Trainer::StepResult result =
          trainer_.step(plan_.accumulate, [&](std::int64_t i, Batch& batch) {
            corpus_.training.draw(plan_.seed ^ kDrawStream,
                                  static_cast<std::uint64_t>(step * plan_.accumulate + i),
                                  plan_.batch_size, plan_.context_length, batch);
          });
      observer_.on_step(step, result);
      if (due(plan_.validate_every)) observer_.on_validation(trainer_.steps_done(), validate());
      if (due(plan_.checkpoint_every)) {
        if (const Status saved = save(); !saved) return saved.failure();
      }
    }
    if (const Status saved = save(); !saved) return saved.failure();
    return TrainingOutcome{trainer_.steps_done(), validate(), trainer_.steps_done() < plan_.steps};
  }

 private:
  bool due(std::int64_t interval) const {
    return trainer_.steps_done() % interval == 0 && trainer_.steps_done() < plan_.steps;
  }

  double validate() {
    Batch batch;
    double sum = 0;
    for (std::int64_t i = 0; i < plan_.validation_batches; ++i) {
      corpus_.validation.spread(i, plan_.validation_batches, plan_.batch_size, plan_.context_length,
                                batch);
      sum += trainer_.evaluate(batch);
    }
    return sum / static_cast<double>(plan_.validation_batches);
  }

  // The state first: it alone decides where a resumed run goes on. The model beside it is for use,
  // and is written again by the resumed run.
  Status save() {
    const TrainingStateFile state{folder_};
    if (Status saved = state.write(model_, trainer_.optimizer(), fingerprint_); !saved)
      return saved;
    if (Status saved = write_model_folder(folder_, model_, corpus_.tokenizer); !saved) return saved;
    observer_.on_checkpoint(trainer_.steps_done());
    return success();
  }

  const TrainingPlan& plan_;
  const std::filesystem::path& folder_;
  Corpus corpus_;
  TrainingObserver& observer_;
  Transformer model_;
  Trainer trainer_;
  std::uint64_t fingerprint_;
};

}  // namespace

std::filesystem::path training_plan_path(const std::filesystem::path& folder) {
  return folder / "training_plan.json";
}

Result<TrainingOutcome> run_training(const TrainingPlan& plan, const std::filesystem::path& folder,
                                     bool resume, const std::atomic<bool>& stop,
                                     TrainingObserver& observer) {
  if (Status sound = plan.check(); !sound) return sound.failure();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return Failure{folder.string() + ": cannot be created: " + error.message()};
  if (!resume) {
    if (TrainingStateFile{folder}.exists()) {
      return Failure{folder.string() +
                     ": already holds a training run; go on with it by --resume, or choose another "
                     "--output"};
    }
    if (Status saved = write_file_atomically(training_plan_path(folder), to_json(plan)); !saved) {
      return saved.failure();
    }
  }
  auto corpus = prepare_corpus(plan, [&](const std::string& what) { observer.on_stage(what); });
  if (!corpus) return corpus.failure();
  Run run(plan, folder, std::move(*corpus), observer);
  if (Status restored = run.restore_or_initialize(resume); !restored) return restored.failure();
  return run.run(stop);
}

}  // namespace limelight
